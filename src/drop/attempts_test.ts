import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import { digestOf } from "../std/mod.ts";
import { Attempts, MAX_RETRY_PAUSE } from "./attempts.ts";
import { IngestError } from "./ingest.ts";

const FILE = { path: "/drop/a.tar", size: 1, mtimeNs: 1n, inode: 1n };
const passing = (reason = "IoError") => new IngestError(reason, "it may pass", "retry");

Deno.test("what may pass is tried again, ever more slowly, up to a bound", () => {
  const clock = new TestClock();
  const attempts = new Attempts(clock);
  const pauses: number[] = [];
  for (let failures = 1; failures <= 12; failures++) {
    const attempt = attempts.failed(FILE, passing());
    assert.equal(attempt.failures, failures);
    pauses.push(attempt.retryAt - clock.monotonic());
    assert(attempts.isWaiting(FILE));
    clock.advance(pauses.at(-1) ?? 0);
    assert(!attempts.isWaiting(FILE));
  }
  assert((pauses[0] ?? 0) <= 2_000);
  assert(pauses.every((pause) => pause <= MAX_RETRY_PAUSE));
  assert((pauses.at(-1) ?? 0) >= MAX_RETRY_PAUSE / 2);
});

Deno.test("what is at fault itself waits for another file", () => {
  const clock = new TestClock();
  const attempts = new Attempts(clock);
  const published = [digestOf("a blob")];
  const attempt = attempts.failed(FILE, new IngestError("Corrupt", "it is", "terminal", published));
  assert.equal(attempt.retryAt, Infinity);
  assert.deepEqual(attempt.published, published);
  clock.advance(1e12);
  assert(attempts.isWaiting(FILE));
  for (const change of [{ size: 2 }, { mtimeNs: 2n }, { inode: 2n }]) {
    assert.equal(attempts.of({ ...FILE, ...change }), undefined);
    assert(!attempts.isWaiting({ ...FILE, ...change }));
  }
});

for (
  const [reason, tight] of [["DiskFull", true], ["NotEnoughSpace", true], [
    "IoError",
    false,
  ]] as const
) {
  Deno.test(`${reason} is ${tight ? "" : "not "}a want of room`, () => {
    assert.equal(new Attempts(new TestClock()).failed(FILE, passing(reason)).tight, tight);
  });
}

Deno.test("what is not ours is tried again, and no failure outlives its file", () => {
  const attempts = new Attempts(new TestClock());
  const attempt = attempts.failed(FILE, new Error("unexpected"));
  assert.deepEqual([attempt.reason, attempt.message], ["ReadFailed", "unexpected"]);
  assert.deepEqual(attempt.published, []);
  attempts.keepOnly(new Set([FILE.path]));
  assert(attempts.isWaiting(FILE));
  attempts.keepOnly(new Set());
  assert.equal(attempts.of(FILE), undefined);
  attempts.failed(FILE, passing());
  attempts.forget(FILE.path);
  assert.equal(attempts.of(FILE), undefined);
});
