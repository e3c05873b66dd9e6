import assert from "node:assert/strict";
import { statusOf } from "../../src/deploy/mod.ts";
import type { KubeObject } from "../../src/kube/mod.ts";
import { Random } from "../fuzz/random.ts";
import { askKstatus, type KstatusAnswer } from "./support/kstatus.ts";
import { KINDS, oddObject } from "./support/odd_states.ts";

const PAGE = new URL("../../docs/zarf-differences.md", import.meta.url);
const FIXTURES = new URL("../fixtures/zarf-cluster/", import.meta.url);
/** Objects of each kind. */
const COUNT = 1_000;
/** Differences that a failure shows. */
const SHOWN = 10;

/** Where Holdfast means to say something else of pods, and what it then says. */
const DIFFERENCES: Readonly<Record<string, { theirs: RegExp; ours: string; status: string }>> = {
  "failed pod": { theirs: /Pod has completed, but not/, ours: "Failed", status: "Current" },
  "crash loop": { theirs: /Containers in CrashLoop/, ours: "InProgress", status: "Failed" },
  "unscheduled pod": { theirs: /could not be scheduled/, ours: "InProgress", status: "Failed" },
  "unknown phase": { theirs: /unknown phase/, ours: "InProgress", status: "Failed" },
};

/** The words of a difference that an object shows. */
function differenceOf(object: KubeObject, answer: KstatusAnswer): string | undefined {
  if (object.apiVersion !== "v1" || object.kind !== "Pod") return undefined;
  const text = answer.message ?? answer.error ?? "";
  return Object.keys(DIFFERENCES).find((name) => DIFFERENCES[name]?.theirs.test(text));
}

/** kstatus gives up where Holdfast says that the object has failed: both end the wait. */
function statusIn({ status, error }: KstatusAnswer): string | undefined {
  return error === undefined ? status : "Failed";
}

/** Compares all. @returns the objects of each status, and the differences that were seen. */
async function compare(objects: readonly KubeObject[]) {
  const answers = await askKstatus(objects);
  const failures: string[] = [];
  const seen = new Set<string>();
  const statuses = new Map<string, number>();
  for (const [at, object] of objects.entries()) {
    const answer = answers[at] ?? {};
    const { status } = statusOf(object);
    const difference = differenceOf(object, answer);
    const wanted = difference === undefined ? statusIn(answer) : DIFFERENCES[difference]?.ours;
    if (difference !== undefined) {
      seen.add(difference);
      assert.equal(statusIn(answer), DIFFERENCES[difference]?.status);
    }
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status !== wanted) failures.push(`${status}, ${JSON.stringify({ answer, object })}`);
  }
  assert.equal(failures.length, 0, failures.slice(0, SHOWN).join("\n"));
  return { seen, statuses };
}

Deno.test("objects stand as kstatus says, but for what is written down", async () => {
  const objects = KINDS.flatMap((kind) => {
    const random = new Random(`${kind.apiVersion} ${kind.kind}`);
    return Array.from({ length: COUNT }, () => oddObject(random, kind));
  });
  const { seen, statuses } = await compare(objects);
  assert.deepEqual([...seen].sort(), Object.keys(DIFFERENCES).sort());
  // Not all the same, or nothing was compared.
  for (const status of ["Current", "InProgress", "Failed", "Terminating"]) {
    assert.ok((statuses.get(status) ?? 0) > objects.length / 100, `${status} of ${objects.length}`);
  }
});

Deno.test("each rule is come to in more than one way", () => {
  for (const kind of KINDS) {
    const random = new Random(`${kind.apiVersion} ${kind.kind}`);
    const states = new Set(
      Array.from({ length: COUNT }, () => statusOf(oddObject(random, kind)).status),
    );
    assert.ok(states.has("Current"), `${kind.kind} is never current`);
    assert.ok(states.size >= 3, `${kind.kind}: ${[...states]}`);
  }
});

Deno.test("objects of a real cluster stand as kstatus says", async () => {
  const objects = ["nodeport", "proxy"].flatMap((cluster) => {
    const directory = new URL(`${cluster}/`, FIXTURES);
    return [...Deno.readDirSync(directory)].filter(({ name }) => name.endsWith(".json"))
      .flatMap(({ name }) => {
        const parsed = JSON.parse(Deno.readTextFileSync(new URL(name, directory)));
        const items: unknown[] = parsed.items ?? [parsed];
        return items.filter((item) =>
          (item as Partial<KubeObject>).kind !== undefined
        ) as KubeObject[];
      });
  });
  assert.ok(objects.length > 20, `${objects.length}`);
  const { seen } = await compare(objects);
  assert.deepEqual([...seen], []);
});

Deno.test("the page names each difference, and no other", () => {
  const page = Deno.readTextFileSync(PAGE);
  const [, section = ""] = /^## Readiness[^\n]*\n([\s\S]*?)(?=^## |$(?![\s\S]))/m.exec(page) ?? [];
  const named = [...section.matchAll(/^- `([a-z ]+)`:/gm)].map(([, name]) => name);
  assert.deepEqual(named, Object.keys(DIFFERENCES));
});
