import assert from "node:assert/strict";
import { PackageError, parseTrustedKeys, readPackage } from "../../src/package/mod.ts";
import { describeError } from "../../src/std/mod.ts";
import { MemorySink, sourceOf } from "../fixtures/package_sink.ts";
import { type BadPackage, badPackages, fileName, type GoodPackage, goodPackages } from "./mod.ts";

/** Milliseconds in which one of them must be refused; all are small. */
const TIME_LIMIT = 5_000;

async function read(one: BadPackage | GoodPackage, sink: MemorySink) {
  const { format, key } = one;
  const trust = key === undefined ? [] : parseTrustedKeys(key);
  return await readPackage(sourceOf(one.make()), { format, architecture: "amd64", sink, trust });
}

Deno.test("every package of the zoo is refused with its reason and the part that is wrong", async (t) => {
  const zoo = badPackages();
  assert.ok(zoo.length >= 200, `only ${zoo.length}`);
  assert.equal(new Set(zoo.map(fileName)).size, zoo.length, "two have one name");
  for (const bad of zoo) {
    await t.step(fileName(bad), async () => {
      const sink = new MemorySink();
      const started = performance.now();
      try {
        await read(bad, sink);
      } catch (error) {
        assert.ok(error instanceof PackageError, String(error));
        assert.equal(error.reason, bad.reason, error.message);
        assert.ok(error.message.includes(bad.part), error.message);
        assert.equal(error.disposition, "terminal");
        assert.equal(sink.open, 0, "a file was left open");
        assert.doesNotMatch(describeError(error), /[\p{Cc}\p{Cs}\u2028\u2029\u202a-\u202e]/u);
        assert.ok(describeError(error).length < 4_096);
        assert.ok(performance.now() - started < TIME_LIMIT);
        return;
      }
      assert.fail("it was accepted");
    });
  }
});

Deno.test("packages with a bad signature are good where no key is trusted", async (t) => {
  const signed = badPackages().filter(({ key, reason }) => key && reason !== "LimitExceeded");
  for (const bad of signed) {
    await t.step(fileName(bad), async () => {
      const { key: _, ...trusting } = bad;
      assert.notEqual((await read(trusting, new MemorySink())).trust.state, "Verified");
    });
  }
});

Deno.test("packages that only look odd are accepted", async (t) => {
  for (const good of goodPackages()) {
    await t.step(fileName(good), async () => {
      const sink = new MemorySink();
      const { trust, blobs } = await read(good, sink);
      assert.equal(sink.open, 0, "a file was left open");
      assert.equal(blobs.length, sink.blobs.size);
      assert.equal(trust.state === "Verified", good.key !== undefined, trust.state);
    });
  }
});
