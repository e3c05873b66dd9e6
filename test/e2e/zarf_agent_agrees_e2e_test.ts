import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { type AdmissionHandler, createAdmission, type Site } from "../../src/admission/mod.ts";
import { KubeClient } from "../../src/kube/mod.ts";
import { silentLogger } from "../../src/std/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { Random } from "../fuzz/random.ts";
import type { AdmissionCase, SiteNames } from "./support/admission/case.ts";
import {
  type Ask,
  normalized,
  outcomeOfHoldfast,
  outcomeOfZarf,
  type Wanted,
} from "./support/admission/outcome.ts";
import { podCase } from "./support/admission/pods.ts";
import { isSelected, zarfSelectors } from "./support/admission/selectors.ts";
import { POD_DIFFERENCES, wantedOfPod } from "./support/admission/pod_differences.ts";
import { SOURCE_DIFFERENCES, wantedOfSource } from "./support/admission/source_differences.ts";
import { gitOpsCase } from "./support/admission/git_ops.ts";
import { makeScene, type SiteKind } from "./support/admission/scene.ts";
import { type Policy, ZarfAgents } from "./support/zarf_agents.ts";

const PAGE = new URL("../../docs/zarf-differences.md", import.meta.url);
/** How many of Zarf's agents share the work: each answers two or three questions in a second. */
const AGENTS = { all: 18, labeled: 8 } as const;
const DIFFERENCES: readonly string[] = [...POD_DIFFERENCES, ...SOURCE_DIFFERENCES];

/** Objects that are compared on one kind of site. */
interface Comparison {
  readonly name: string;
  readonly kind: SiteKind;
  readonly policy: Policy;
  readonly count: number;
  readonly make: (random: Random, names: SiteNames) => AdmissionCase;
}

const COMPARISONS: readonly Comparison[] = [
  { name: "pods", kind: "internal", policy: "all", count: 1_000, make: podCase },
  { name: "sources", kind: "internal", policy: "all", count: 1_200, make: gitOpsCase },
  {
    name: "sources without a git server",
    ...{ kind: "without git", policy: "all", count: 300, make: gitOpsCase },
  },
  {
    name: "sources with a registry elsewhere",
    ...{ kind: "external", policy: "all", count: 400, make: gitOpsCase },
  },
  {
    name: "sources with a registry that asks for a certificate",
    ...{ kind: "mtls", policy: "all", count: 300, make: gitOpsCase },
  },
  {
    name: "labelled pods",
    ...{ kind: "internal", policy: "labeled", count: 400, make: podCase },
  },
  {
    name: "labelled sources",
    ...{ kind: "internal", policy: "labeled", count: 300, make: gitOpsCase },
  },
];
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
  readonly seen: Set<string>;
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
  const ours = await outcomeOfHoldfast(one, sides.policy, sides.handler);
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

/** What Holdfast has to make of an object. */
async function wantedOf(
  one: AdmissionCase,
  { policy, agents, site }: Sides,
  at: number,
): Promise<Wanted> {
  if (!isSelected(one.request, zarfSelectors(one.path, policy))) {
    return { wanted: { stored: one.request.object }, differences: [] };
  }
  const ask: Ask = (question) => outcomeOfZarf(question, policy, agents, at);
  return one.request.kind.kind === "Pod"
    ? await wantedOfPod(one, site, ask)
    : await wantedOfSource(one, site, ask);
}

/** Fails with the first disagreements, and when too little was compared to tell anything. */
function assertAgree({ failures, same }: Tally): void {
  assert.equal(failures.length, 0, failures.slice(0, SHOWN).join("\n\n"));
  const all = same.changed + same.unchanged + same.refused;
  assert.ok(same.changed > all / 20 && same.unchanged > all / 20, JSON.stringify(same));
}

Deno.test("the page about differences names those that are compared", async () => {
  const page = await Deno.readTextFile(PAGE);
  const [, section = ""] = page.split("## Admission: the webhook beside Zarf's agent\n");
  const [text = ""] = section.split("\n## ");
  const names = text.matchAll(/^- `([^`]+)`: /gm);
  assert.deepEqual([...names].map(([, name]) => name).sort(), DIFFERENCES.toSorted());
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
    const seen = new Set<string>();
    for (const { name, kind, policy, count, make } of COMPARISONS) {
      await t.step(name, async () => {
        const site = await scene.become(kind);
        const handler = createAdmission({ site: () => site, logger: silentLogger });
        const random = new Random(name);
        const cases = Array.from({ length: count }, () => make(random, scene.names));
        const tally = await compare(cases, { policy, agents, site, handler });
        assertAgree(tally);
        tally.seen.forEach((difference) => seen.add(difference));
      });
    }
    await t.step("every difference that is told of was seen", () => {
      assert.deepEqual([...seen].sort(), [...DIFFERENCES].sort());
    });
    kube.close();
  },
});
