import assert from "node:assert/strict";
import { ClusterError } from "./errors.ts";
import { waitUntil } from "./wait.ts";

Deno.test("waiting ends with the first success, after failures and errors", async () => {
  const answers = [false, new Error("not yet"), true, false];
  let asked = 0;
  await waitUntil("it", () => {
    const answer = answers[asked++];
    if (answer instanceof Error) throw answer;
    return answer ?? false;
  }, { timeout: 5_000 });
  assert.equal(asked, 3);
});

Deno.test("a time-out names what was waited for and why it did not come", async () => {
  const cause = new Error("connection refused");
  const waited = waitUntil("the API server", () => {
    throw cause;
  }, { timeout: 60 });
  await assert.rejects(waited, (error) => {
    assert.ok(error instanceof ClusterError);
    assert.equal(error.reason, "TimedOut");
    assert.match(error.message, /the API server/);
    assert.equal(error.cause, cause);
    return true;
  });
});

Deno.test("an abort ends the waiting at once with its reason", async () => {
  const abort = new AbortController();
  const started = performance.now();
  const waited = waitUntil("nothing", () => false, { timeout: 60_000, signal: abort.signal });
  abort.abort(new Error("interrupted"));
  await assert.rejects(waited, /interrupted/);
  assert.ok(performance.now() - started < 5_000);
});
