import assert from "node:assert/strict";
import { despitePauses } from "../fakes/testing.ts";
import type { RunningAgent } from "./agent.ts";
import { diskRow, parseMetric, pause, quietWrites, settledStoreUsage } from "./figures.ts";

function agentWith(known: Partial<RunningAgent>): RunningAgent {
  return {
    node: "n",
    pid: Deno.pid,
    statusUrl: "",
    registryUrl: "",
    dropDir: "",
    dataDir: "",
    logPath: "",
    ended: new Promise<string>(() => {}),
    [Symbol.asyncDispose]: () => Promise.resolve(),
    ...known,
  };
}

Deno.test("a store that still grows is measured when it has stopped", () =>
  despitePauses(async () => {
    const dataDir = await Deno.makeTempDir();
    const grow = async (times: number) => {
      for (let at = 0; at < times; at++) {
        await Deno.writeFile(`${dataDir}/blobs/${at}`, new Uint8Array(100_000).fill(1));
        await new Promise((resolve) => setTimeout(resolve, 150));
      }
    };
    try {
      await Promise.all(["blobs", "packages"].map((part) => Deno.mkdir(`${dataDir}/${part}`)));
      const growing = grow(8);
      const { signal } = new AbortController();
      const settled = await settledStoreUsage(agentWith({ dataDir }), signal);
      await growing;
      assert.ok(settled >= 800_000, `${settled}`);
    } finally {
      await Deno.remove(dataDir, { recursive: true });
    }
  }));

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
  const { signal } = new AbortController();
  const agent = agentWith({ statusUrl: `http://127.0.0.1:${server.addr.port}` });
  await assert.rejects(quietWrites([agent], signal), /no holdfast_api_writes_total/);
});
