import assert from "node:assert/strict";
import type { GoodPackage, Pool } from "./packages.ts";
import { type CyclePlan, planCycle } from "./plan.ts";

const good = ["a-1", "b-1", "c-1", "d-1", "e-1", "f-1", "a-2", "b-2"].map((id): GoodPackage => {
  const [name = "", version = ""] = id.split("-");
  const nothing = { blobs: new Set<never>(), files: new Map<never, never>(), images: [] };
  return { file: id, path: id, name, version, digest: `sha256:${id}`, ...nothing };
});
const POOL: Pool = { good, bad: ["x", "y", "z"].map((file) => ({ file, path: file })) };

const plans = (seed: number) =>
  Array.from({ length: 400 }, (_, index) => planCycle(seed, index, "ext4", POOL));
const share = (all: readonly CyclePlan[], matches: (plan: CyclePlan) => boolean) =>
  all.filter(matches).length / all.length;
const cutsOf = ({ rounds }: CyclePlan) => rounds.flatMap(({ cut }) => cut ?? []);

Deno.test("a plan depends on the seed and the number of the cycle", () => {
  assert.deepEqual(plans(1), plans(1));
  assert.notDeepEqual(plans(1)[3], plans(2)[3]);
  assert.notDeepEqual(plans(1)[3], plans(1)[4]);
});

Deno.test("every cycle has one to three cuts and ends with a run that is not cut", () => {
  for (const plan of plans(3)) {
    const cuts = cutsOf(plan).length;
    assert.ok(cuts >= 1 && cuts <= 3, `${cuts} cuts`);
    assert.equal(plan.rounds.at(-1)?.cut, undefined);
  }
});

Deno.test("every run has something to read", () => {
  for (const { rounds } of plans(6)) {
    for (const { drops } of rounds) assert.ok(drops.some((file) => /-\d$/.test(file)));
  }
});

Deno.test("no file is dropped twice, and no newer version before an older one", () => {
  for (const { rounds } of plans(4)) {
    const order = rounds.flatMap(({ drops }, round) => drops.map((file) => ({ file, round })));
    assert.equal(new Set(order.map(({ file }) => file)).size, order.length);
    for (const { file, round } of order) {
      const older = order.find((one) => one.file === file.replace("-2", "-1"));
      assert.ok(older === undefined || older.round <= round, file);
    }
  }
});

Deno.test("all kinds of cycles come up, and most cuts come to the reading of a package", () => {
  const all = plans(5);
  const kinds: readonly [string, (plan: CyclePlan) => boolean, number, number][] = [
    ["the in-cluster registry", ({ subject }) => subject === "registry", 0.15, 0.25],
    ["drops on the disk", ({ dropsOnDisk }) => dropsOnDisk, 0.25, 0.45],
    ["the seed image", ({ seed }) => seed, 0.1, 0.3],
    ["a first run in peace", ({ rounds }) => rounds[0]?.cut === undefined, 0.1, 0.3],
    ["a bad file", ({ rounds }) => rounds.some(({ drops }) => drops.includes("x")), 0.05, 0.3],
    ["more than one cut", (plan) => cutsOf(plan).length > 1, 0.4, 0.7],
  ];
  for (const [name, matches, least, most] of kinds) {
    const found = share(all, matches);
    assert.ok(found >= least && found <= most, `${name}: ${found}`);
  }
  const cuts = all.flatMap(cutsOf);
  const after = (stage: string) => cuts.filter((cut) => cut.after === stage).length / cuts.length;
  assert.ok(after("reading") > 0.5, `${after("reading")}`);
  for (const stage of ["start", "done", "idle"]) assert.ok(after(stage) > 0.04, stage);
});
