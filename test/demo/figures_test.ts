import assert from "node:assert/strict";
import { diskRow, parseMetric, pause, quietWrites } from "./figures.ts";

Deno.test("a metric is read by its whole name", () => {
  const text = "# HELP a_total b\n# TYPE a_total counter\na_total_more 9\na_total 12\n";
  assert.equal(parseMetric(text, "a_total"), 12);
  assert.throws(() => parseMetric(text, "a"), /no a$/);
});

Deno.test("disk use is what came in addition, by package byte", () => {
  assert.deepEqual(diskRow(1_000_000, 5_000_000, 6_050_000), [
    "disk used by the store per package byte",
    "1.05 (1.1 MB for 1.0 MB)",
  ]);
});

Deno.test("a pause ends at its time, or when it is interrupted", async () => {
  const abort = new AbortController();
  const started = performance.now();
  await pause(20, abort.signal);
  assert.ok(performance.now() - started >= 19);
  const waiting = pause(60_000, abort.signal);
  abort.abort(new Error("interrupted"));
  await assert.rejects(waiting, /interrupted/);
  await assert.rejects(pause(60_000, abort.signal), /interrupted/);
});

Deno.test("an agent that gives no metrics fails the figure", async () => {
  await using server = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen() {} }, () => {
    return new Response("nothing\n");
  });
  const agent = {
    node: "n",
    pid: Deno.pid,
    statusUrl: `http://127.0.0.1:${server.addr.port}`,
    registryUrl: "",
    dropDir: "",
    dataDir: "",
    logPath: "",
    ended: new Promise<string>(() => {}),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const { signal } = new AbortController();
  await assert.rejects(quietWrites([agent], signal), /no holdfast_api_writes_total/);
});
