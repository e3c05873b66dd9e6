import assert from "node:assert/strict";
import { cacheDir } from "../../extension/build/go_tools.ts";
import { DENORT_SOURCE, DenortError, ensureDenort } from "./denort.ts";

async function withCache(see: (cache: string) => Promise<void>): Promise<void> {
  const cache = await Deno.makeTempDir();
  try {
    await see(cache);
  } finally {
    await Deno.remove(cache, { recursive: true });
  }
}

function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name);
}

if (Deno.build.target === "x86_64-unknown-linux-gnu") {
  Deno.test("the base binary is an executable of the pinned size, and is not fetched twice", async () => {
    const path = await ensureDenort(cacheDir());
    const info = await Deno.stat(path);
    assert.equal(info.size, DENORT_SOURCE.size);
    assert.equal((info.mode ?? 0) & 0o111, 0o111);
    assert.equal(await ensureDenort(cacheDir()), path);
    assert.equal((await Deno.stat(path)).ino, info.ino);
  });

  Deno.test("a package with another sum is refused and leaves nothing", () =>
    withCache(async (cache) => {
      const source = { ...DENORT_SOURCE, archive: "0".repeat(64) };
      await assert.rejects(
        ensureDenort(cache, source),
        (error) => error instanceof DenortError && error.reason === "WrongSum",
      );
      assert.deepEqual(names(cache), []);
    }));

  Deno.test("a cut with another sum is refused and leaves nothing", () =>
    withCache(async (cache) => {
      const source = { ...DENORT_SOURCE, size: DENORT_SOURCE.size - 1 };
      await assert.rejects(
        ensureDenort(cache, source),
        (error) => error instanceof DenortError && error.reason === "WrongSum",
      );
      assert.deepEqual(names(cache), []);
    }));

  Deno.test("a cached file that was changed is fetched again", () =>
    withCache(async (cache) => {
      const path = await ensureDenort(cache);
      await Deno.writeTextFile(path, "x", { append: true });
      assert.equal(await ensureDenort(cache), path);
      assert.equal((await Deno.stat(path)).size, DENORT_SOURCE.size);
      assert.equal(names(cache).length, 1);
    }));

  Deno.test("a package that does not exist is npm's own error", () =>
    withCache(async (cache) => {
      const source = { ...DENORT_SOURCE, specifier: "@stdy/cli-linux-x64@0.0.0-none" };
      await assert.rejects(
        ensureDenort(cache, source),
        (error) => error instanceof DenortError && error.reason === "DownloadFailed",
      );
    }));
}
