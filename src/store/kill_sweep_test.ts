import assert from "node:assert/strict";
import { digestOf, removeQuietly } from "../std/mod.ts";
import { withFastDirectory } from "./testing.ts";
import { copyTree, type Life, live, type Place, stateOf } from "./testing_kill.ts";
import { LIVES, type PreparedLife } from "./testing_lives.ts";

/** Changes of the disk that a promise rests on; a commit is between two failpoints. */
const DURABLE: readonly Place[] = ["fsyncFile", "fsyncDir", "rename", "link", "remove"];

const isNamed = (place: Place) => place.startsWith("store.");

/** Fails if a blob is there with other bytes than its name says, or a record without its blobs. */
function assertWhole(state: ReturnType<typeof stateOf>, place: string): void {
  const { files, tables: { blob_references: references = [] } } = state;
  for (const [path, file] of Object.entries(files)) {
    const [, hex] = /^blobs\/sha256\/..\/(\w+)$/.exec(path) ?? [];
    const content = file.slice(file.indexOf(": ") + 2);
    if (hex !== undefined) assert.equal(digestOf(content), `sha256:${hex}`, `after ${place}`);
  }
  for (const row of references) {
    const hex = JSON.parse(row).digest.slice("sha256:".length);
    assert.ok(`blobs/sha256/${hex.slice(0, 2)}/${hex}` in files, `${hex} after ${place}`);
  }
}

for (const [what, { prepare, life }] of Object.entries<PreparedLife>(LIVES)) {
  Deno.test(`killed at every place while ${what}, the store ends as if nothing had been`, () =>
    withFastDirectory(async (root) => {
      prepare?.(`${root}/before`);
      copyTree(`${root}/before`, `${root}/whole`);
      const places = await live(`${root}/whole`, life);
      const whole = stateOf(`${root}/whole`);
      for (const [index, place] of places.entries()) {
        const dir = `${root}/${index}`;
        const name = `${place} (${index + 1})`;
        copyTree(`${root}/before`, dir);
        assert.equal((await live(dir, life, { at: index + 1 })).at(-1), place);
        copyTree(dir, `${dir}-left`);
        assertWhole(stateOf(`${dir}-left`), name);
        await live(dir, life);
        assert.deepEqual(stateOf(dir), whole, name);
        for (const path of [dir, `${dir}-left`]) removeQuietly(path);
      }
    }));

  Deno.test(`while ${what}, each durable change has a failpoint before and after it`, () =>
    withFastDirectory(async (root) => {
      prepare?.(`${root}/data`);
      const places = await live(`${root}/data`, life);
      let named: Place | undefined = "the start";
      for (const [index, place] of places.entries()) {
        if (isNamed(place)) named = place;
        if (!DURABLE.includes(place)) continue;
        const last = places.slice(Math.max(0, index - 5), index + 1).join(", ");
        assert.ok(named !== undefined, `nothing is named between the last two of ${last}`);
        named = undefined;
      }
      assert.ok(named !== undefined, "nothing is named at the end");
    }));
}

/** Ends two lives, each at one of its failpoints, and lives a third to its end. */
async function endTwice(root: string, life: Life): Promise<number> {
  const counts = isNamed;
  const places = await live(`${root}/whole`, life, { counts });
  const whole = stateOf(`${root}/whole`);
  let pairs = 0;
  for (const [index, place] of places.entries()) {
    const begun = `${root}/${index}`;
    await live(begun, life, { counts, at: index + 1 });
    for (let second = 1;; second++) {
      const dir = `${begun}-${second}`;
      copyTree(begun, dir);
      const passed = await live(dir, life, { counts, at: second });
      const isEnded = passed.length < second;
      if (!isEnded) await live(dir, life);
      assert.deepEqual(stateOf(dir), whole, `${place}, then ${passed.at(-1)}`);
      Deno.removeSync(dir, { recursive: true });
      if (isEnded) break;
      pairs++;
    }
  }
  return pairs;
}

Deno.test("killed at any place, and again at any place, a small package ends as if nothing had been", () =>
  withFastDirectory(async (root) => {
    const pairs = await endTwice(root, LIVES["a small package is taken in"].life);
    assert.ok(pairs > 1_000, `${pairs} pairs`);
  }));

Deno.test("killed at any place, and again at any place, a fetched blob is as if nothing had been", () =>
  withFastDirectory(async (root) => {
    const pairs = await endTwice(root, LIVES["a blob is fetched"].life);
    assert.ok(pairs > 300, `${pairs} pairs`);
  }));
