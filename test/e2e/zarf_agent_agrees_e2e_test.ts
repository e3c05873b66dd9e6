import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { type AdmissionHandler, createAdmission, type Site } from "../../src/admission/mod.ts";
import { KubeClient } from "../../src/kube/mod.ts";
import { silentLogger } from "../../src/std/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { Random } from "../fuzz/random.ts";
import type { AdmissionCase } from "./support/admission/case.ts";
import { type Difference, POD_DIFFERENCES, restatePod } from "./support/admission/differences.ts";
import {
  normalized,
  type Outcome,
  outcomeOfHoldfast,
  outcomeOfZarf,
} from "./support/admission/outcome.ts";
import { podCase } from "./support/admission/pods.ts";
import { isSelected, zarfSelectors } from "./support/admission/selectors.ts";
import { makeScene } from "./support/admission/scene.ts";
import { type Policy, ZarfAgents } from "./support/zarf_agents.ts";

const PAGE = new URL("../../docs/zarf-differences.md", import.meta.url);
/** How many of Zarf's agents share the work: each answers two or three questions in a second. */
const AGENTS = { all: 20, labeled: 4 } as const;
/** Pods that are compared. */
const PODS = 1_000;
/** Differences that a failure shows. */
const SHOWN = 5;

/** Both sides of a comparison. */
interface Sides {
  readonly policy: Policy;
  readonly agents: ZarfAgents;
  readonly site: Site;
  readonly handler: AdmissionHandler;
}

/** How a comparison ended. */
interface Tally {
  /** Questions of which both said the same, by what that was. */
  readonly same: Record<"unchanged" | "changed" | "refused", number>;
  /** Differences that were seen alone: Zarf really says something else of the question itself. */
  readonly seen: Set<Difference>;
  readonly failures: string[];
}

/** Asks both sides about all, each of Zarf's agents one question after the other. */
async function compare(cases: readonly AdmissionCase[], sides: Sides): Promise<Tally> {
  const tally: Tally = {
    same: { unchanged: 0, changed: 0, refused: 0 },
    seen: new Set(),
    failures: [],
  };
  const queue = cases.values();
  const worker = async (_: unknown, at: number) => {
    for (const one of queue) await compareOne(one, sides, at, tally);
  };
  await Promise.all(Array.from({ length: sides.agents.count(sides.policy) }, worker));
  return tally;
}

async function compareOne(
  one: AdmissionCase,
  sides: Sides,
  at: number,
  { same, seen, failures }: Tally,
): Promise<void> {
  const { wanted, differences } = await wantedOf(one, sides, at);
  const ours = await outcomeOfHoldfast(one, sides.handler);
  try {
    assert.deepEqual(normalized(ours), normalized(wanted));
  } catch (error) {
    const parts = { differences, ...one, ours, wanted };
    failures.push(`${(error as Error).message}\n${JSON.stringify(parts, undefined, 1)}`);
  }
  const [difference, ...others] = differences;
  if (difference !== undefined && others.length === 0 && !seen.has(difference)) {
    const plain = await outcomeOfZarf(one, sides.policy, sides.agents, at);
    if (!isDeepStrictEqual(normalized(plain), normalized(ours))) seen.add(difference);
  }
  if ("refused" in ours) same.refused++;
  else if (JSON.stringify(ours.stored) === JSON.stringify(one.request.object)) same.unchanged++;
  else same.changed++;
}

interface Wanted {
  readonly wanted: Outcome;
  readonly differences: readonly Difference[];
}

/** What Holdfast has to make of it: what Zarf does, or what a declared difference says. */
async function wantedOf(
  one: AdmissionCase,
  { policy, agents, site }: Sides,
  at: number,
): Promise<Wanted> {
  const plain: Wanted = { wanted: { stored: one.request.object }, differences: [] };
  if (!isSelected(one.request, zarfSelectors(one.path, policy))) return plain;
  const ask = (question: AdmissionCase) => outcomeOfZarf(question, policy, agents, at);
  const restated = one.path === "/mutate/pod" ? restatePod(one, site.registryAddress) : undefined;
  if (restated === undefined) return { ...plain, wanted: await ask(one) };
  const { differences, asked, meant } = restated;
  return { differences, wanted: meant(asked === undefined ? plain.wanted : await ask(asked)) };
}

/** Fails with the first disagreements, and when too little was compared to tell anything. */
function assertAgree({ failures, same }: Tally): void {
  assert.equal(failures.length, 0, failures.slice(0, SHOWN).join("\n\n"));
  const all = same.changed + same.unchanged + same.refused;
  assert.ok(same.changed > all / 4 && same.refused > all / 50, JSON.stringify(same));
}

Deno.test("the page about differences names those that are compared", async () => {
  const page = await Deno.readTextFile(PAGE);
  const [, section = ""] = page.split("## The admission webhook\n");
  const names = section.matchAll(/^- `([^`]+)`: /gm);
  assert.deepEqual([...names].map(([, name]) => name), [...POD_DIFFERENCES]);
});

const reason = obstacle();

Deno.test({
  name: "the real agent of Zarf changes objects as Holdfast does, but for what is told",
  ignore: reason !== undefined,
  fn: async (t) => {
    await using cluster = await Cluster.up({ name: `zarf-agent-${Deno.pid.toString(36)}` });
    const kube = KubeClient.fromKubeconfig(cluster.kubeconfig());
    const scene = await makeScene(cluster, kube);
    await using agents = await ZarfAgents.start(cluster, scene.node, AGENTS);
    const sidesOf = (site: Site, policy: Policy): Sides => ({
      policy,
      agents,
      site,
      handler: createAdmission({ site: () => site, logger: silentLogger }),
    });

    await t.step("pods", async () => {
      const random = new Random("pods");
      const sides = sidesOf(await scene.become("internal"), "all");
      const tally = await compare(Array.from({ length: PODS }, () => podCase(random)), sides);
      assertAgree(tally);
      assert.deepEqual([...tally.seen].sort(), [...POD_DIFFERENCES].sort());
    });
    kube.close();
  },
});
