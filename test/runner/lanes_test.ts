import assert from "node:assert/strict";
import { defaultLanes, runInLanes } from "./lanes.ts";
import type { Suite } from "./suite.ts";

const suites = (...names: string[]): Suite[] =>
  names.map((name) => ({ name, files: [], timeout: 1 }));

/** Runs of suites that end when they are told to. */
class Hall {
  /** What began and ended, in order. */
  readonly events: string[] = [];
  readonly #running = new Map<string, PromiseWithResolvers<void>>();
  readonly #abort = new AbortController();

  run(inLanes: readonly Suite[], alone: readonly Suite[], lanes: number): Promise<void> {
    return runInLanes({ inLanes, alone }, {
      lanes,
      signal: this.#abort.signal,
      run: async ({ name }, lane) => {
        this.events.push(`${name} begins in ${lane}`);
        const end = Promise.withResolvers<void>();
        this.#running.set(name, end);
        await end.promise;
      },
    });
  }

  abort(): void {
    this.#abort.abort();
  }

  /** Ends a suite and lets everybody notice. */
  async end(name: string, error?: Error): Promise<void> {
    this.events.push(`${name} ends`);
    const { resolve, reject } = this.#running.get(name) ?? assert.fail(`${name} does not run`);
    if (error === undefined) resolve();
    else reject(error);
    await new Promise((resolve) => setTimeout(resolve));
  }
}

Deno.test("a lane that is free takes the next suite", async () => {
  const hall = new Hall();
  const all = hall.run(suites("a", "b", "c", "d"), [], 2);
  for (const name of ["b", "a", "d", "c"]) await hall.end(name);
  await all;
  assert.deepEqual(hall.events, [
    "a begins in 0",
    "b begins in 1",
    "b ends",
    "c begins in 1",
    "a ends",
    "d begins in 0",
    "d ends",
    "c ends",
  ]);
});

Deno.test("what runs alone begins when all others have ended", async () => {
  const hall = new Hall();
  const all = hall.run(suites("a", "b"), suites("c", "d"), 2);
  for (const name of ["a", "b", "c", "d"]) await hall.end(name);
  await all;
  assert.deepEqual(hall.events, [
    "a begins in 0",
    "b begins in 1",
    "a ends",
    "b ends",
    "c begins in 0",
    "c ends",
    "d begins in 0",
    "d ends",
  ]);
});

Deno.test("one lane runs one suite after the other", async () => {
  const hall = new Hall();
  const all = hall.run(suites("a", "b"), [], 1);
  assert.deepEqual(hall.events, ["a begins in 0"]);
  await hall.end("a");
  await hall.end("b");
  await all;
});

Deno.test("after an interruption nothing is begun, and what runs is waited for", async () => {
  const hall = new Hall();
  let ended = false;
  const all = hall.run(suites("a", "b", "c"), suites("d"), 2).finally(() => ended = true);
  hall.abort();
  await hall.end("a");
  assert.equal(ended, false);
  await hall.end("b");
  await all;
  assert.deepEqual(hall.events, ["a begins in 0", "b begins in 1", "a ends", "b ends"]);
});

Deno.test("after an error nothing is begun, and what runs is waited for", async () => {
  const hall = new Hall();
  let ended = false;
  const all = hall.run(suites("a", "b", "c"), suites("d"), 2).finally(() => ended = true);
  all.catch(() => {});
  await hall.end("a", new Error("boo"));
  assert.equal(ended, false);
  await hall.end("b");
  await assert.rejects(all, /boo/);
  assert.deepEqual(hall.events, ["a begins in 0", "b begins in 1", "a ends", "b ends"]);
});

Deno.test("nothing to run ends at once", () =>
  runInLanes({ inLanes: [], alone: [] }, {
    lanes: 2,
    signal: new AbortController().signal,
    run: () => assert.fail("nothing was to be run"),
  }));

for (const [processors, lanes] of [[1, 1], [2, 2], [64, 2]] as const) {
  Deno.test(`${processors} processors: ${lanes} suites at once`, () => {
    assert.equal(defaultLanes(processors), lanes);
  });
}
