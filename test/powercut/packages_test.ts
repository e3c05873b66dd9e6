import assert from "node:assert/strict";
import { readPackage } from "../../src/package/mod.ts";
import { MemorySink, sourceOf } from "../fixtures/package_sink.ts";
import { makePool, type Pool } from "./packages.ts";

async function withPool(seed: number, action: (pool: Pool) => void | Promise<void>) {
  const directory = await Deno.makeTempDir({ prefix: "holdfast-pool-" });
  try {
    await action(await makePool(directory, seed, 0.02));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a pool has packages of all sizes, with blobs in common, and newer ones of some names", () =>
  withPool(1, ({ good }) => {
    assert.ok(good.some(({ blobs }) => blobs.size > 60), "one has many blobs");
    assert.ok(good.some(({ files }) => files.size > 10), "one has many files");
    const sizes = good.map(({ path }) => Deno.statSync(path).size);
    assert.ok(Math.max(...sizes) > 4 * Math.min(...sizes), sizes.join());
    for (const one of good) {
      const shared = good.some((other) => other !== one && !one.blobs.isDisjointFrom(other.blobs));
      assert.ok(shared, `${one.file} shares nothing`);
      assert.ok(
        one.images.every(({ digest, blobs }) =>
          one.blobs.has(digest) && blobs.every((blob) => one.blobs.has(blob))
        ),
      );
    }
    const versions = Map.groupBy(good, ({ name }) => name);
    const upgraded = [...versions.values()].filter((each) => each.length > 1);
    assert.ok(upgraded.length >= 2);
    for (const each of upgraded) {
      assert.deepEqual(each.map(({ version }) => version), ["1.0.0", "1.1.0"], "the older first");
    }
  }));

Deno.test("equal seeds give equal packages, others give others", async () => {
  const digestsOf = async (seed: number) => {
    const digests: string[] = [];
    await withPool(seed, ({ good }) => void digests.push(...good.map(({ digest }) => digest)));
    return digests;
  };
  assert.deepEqual(await digestsOf(2), await digestsOf(2));
  assert.notDeepEqual(await digestsOf(2), await digestsOf(3));
});

Deno.test("each bad file is refused, one of them only when all of it was read", () =>
  withPool(4, async ({ bad }) => {
    const taken: number[] = [];
    for (const { path, file } of bad) {
      const sink = new MemorySink();
      const options = { format: "tar.zst", architecture: "amd64", sink } as const;
      await assert.rejects(readPackage(sourceOf(Deno.readFileSync(path)), options), file);
      taken.push(sink.blobs.size);
    }
    assert.ok(Math.min(...taken) === 0 && Math.max(...taken) > 3, taken.join());
  }));
