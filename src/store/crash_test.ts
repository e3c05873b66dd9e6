import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { digestOf } from "../std/mod.ts";
import {
  CLEANING_FAILPOINTS,
  REGISTRY_STORAGE_FAILPOINTS,
  STORE_FAILPOINTS,
  UPKEEP_FAILPOINTS,
} from "./failpoints.ts";
import { treeOf, withDirectory, withFastDirectory } from "./testing.ts";
import { copyTree, live, type Place, stateOf } from "./testing_kill.ts";
import { type LifeName, LIVES, type PreparedLife } from "./testing_lives.ts";
import { blobPath, blobTree } from "./testing_packages.ts";

const CHILD = fileURLToPath(import.meta.resolve("./crash_test_child.ts"));

/** Lives one of the lives in a process of its own, which a failpoint may kill. */
async function run(name: LifeName, dir: string, failpoint?: string): Promise<Deno.CommandStatus> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", CHILD, dir, name],
    env: failpoint === undefined ? {} : { HOLDFAST_FAILPOINT: failpoint },
    stdout: "null",
    stderr: "inherit",
  });
  return await command.spawn().status;
}

/** How often each failpoint is passed. */
function passes(places: readonly Place[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const place of places) {
    if (place.startsWith("store.")) counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  return counts;
}

/** Kills a process at that pass; the disk has to be as the sweep in one process leaves it. */
async function killAt(root: string, name: LifeName, place: string, pass: number): Promise<string> {
  const [dir, swept] = ["killed", "swept"].map((kind) => `${root}/${place}-${pass}-${kind}`);
  if (dir === undefined || swept === undefined) assert.fail();
  for (const target of [dir, swept]) copyTree(`${root}/before`, target);
  const killed = await run(name, dir, `${place}:${pass}`);
  assert.equal(killed.signal, "SIGKILL", `${place}:${pass} was not passed`);
  await live(swept, LIVES[name].life, { at: pass, counts: (each) => each === place });
  copyTree(dir, `${dir}-left`);
  assert.deepEqual(stateOf(`${dir}-left`), stateOf(swept), `${place}:${pass}`);
  return dir;
}

const killed = new Set<string>();

for (const [name, { prepare, life }] of Object.entries<PreparedLife>(LIVES)) {
  Deno.test(`a process that is killed while ${name} leaves what the sweep takes for a kill`, () =>
    withFastDirectory(async (root) => {
      prepare?.(`${root}/before`);
      copyTree(`${root}/before`, `${root}/whole`);
      const places = passes(await live(`${root}/whole`, life));
      const whole = stateOf(`${root}/whole`);
      for (const [place, last] of places) {
        if (killed.has(place)) continue;
        killed.add(place);
        for (const pass of new Set([1, last])) {
          const dir = await killAt(root, name as LifeName, place, pass);
          await live(dir, life);
          assert.deepEqual(stateOf(dir), whole, `${place}:${pass}`);
        }
      }
    }));
}

Deno.test("every failpoint that is named is passed in one of the lives, and no other", () =>
  withFastDirectory(async (root) => {
    const passed = new Set<Place>();
    for (const [name, { prepare, life }] of Object.entries<PreparedLife>(LIVES)) {
      prepare?.(`${root}/${name}`);
      for (const place of passes(await live(`${root}/${name}`, life)).keys()) passed.add(place);
    }
    const named: Place[] = [
      ...STORE_FAILPOINTS,
      ...UPKEEP_FAILPOINTS,
      ...CLEANING_FAILPOINTS,
      ...REGISTRY_STORAGE_FAILPOINTS,
    ];
    assert.deepEqual([...passed].sort(), named.sort());
    const listed = Deno.readTextFileSync(new URL("../../docs/failpoints.md", import.meta.url));
    assert.deepEqual(named.filter((place) => !listed.includes(`\`${place}\``)), []);
  }));

// The first record takes the clean mark away, the second sets it again.
for (
  const [failpoint, visible] of [
    ["store.blob.written", false],
    ["store.blob.synced", false],
    ["store.blob.renamed", true],
    ["store.blob.directory.synced", true],
    ["store.record.committing:2", true],
    ["store.record.committed:2", true],
  ] as const
) {
  Deno.test(`killed at ${failpoint}, a fetched blob is ${visible ? "whole" : "absent"}`, () =>
    withDirectory(async (dir) => {
      assert.equal((await run("a blob is fetched", dir, failpoint)).signal, "SIGKILL");
      assert.deepEqual(treeOf(`${dir}/blobs`), visible ? blobTree(["fetched"]) : {});
    }));
}

Deno.test("killed while it verifies after a kill, the store still serves no bad blob", () =>
  withDirectory(async (dir) => {
    const name = "a blob is fetched";
    assert.equal((await run(name, dir, "store.record.committing:2")).signal, "SIGKILL");
    const path = `${dir}/blobs/${blobPath(digestOf("fetched"))}`;
    Deno.chmodSync(path, 0o644);
    Deno.writeTextFileSync(path, "damaged");
    // The next start quarantines the blob and is killed before it can take the mark away.
    assert.equal((await run(name, dir, "store.record.committing:1")).signal, "SIGKILL");
    assert.deepEqual(treeOf(`${dir}/blobs`), {});
    assert.equal((await run(name, dir)).code, 0);
    assert.deepEqual(treeOf(`${dir}/blobs`), blobTree(["fetched"]));
  }));
