import assert from "node:assert/strict";
import { eventually, loggerOf, TestClock } from "../../test/fakes/testing.ts";
import { withGrantedRights } from "./granted_rights.ts";
import { whenAborted } from "./signals.ts";

interface Stage {
  /** What is answered; an error is thrown. */
  answer: boolean | Error;
  readonly worked: string[];
  readonly lines: string[];
  readonly clock: TestClock;
}

/** Runs `action` while the rights are asked for. */
async function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  const { logger, lines } = loggerOf();
  const stage: Stage = { answer: false, worked: [], lines, clock: new TestClock() };
  const stop = new AbortController();
  const running = withGrantedRights({
    ask: () =>
      stage.answer instanceof Error ? Promise.reject(stage.answer) : Promise.resolve(stage.answer),
    work: async (mayDeploy, signal) => {
      stage.worked.push(`begin ${mayDeploy}`);
      await whenAborted(signal);
      stage.worked.push(`end ${mayDeploy}`);
    },
    logger,
    clock: stage.clock,
  }, stop.signal);
  try {
    await action(stage);
  } finally {
    stop.abort();
    await running;
  }
}

Deno.test("the work begins anew when other rights are granted, and one ends before the other begins", () =>
  staged(async (stage) => {
    await eventually(() => stage.worked.length === 1);
    stage.answer = true;
    await eventually(() => stage.worked.length === 3);
    stage.answer = false;
    await eventually(() => stage.worked.length === 5);
    const order = ["begin false", "end false", "begin true", "end true", "begin false"];
    assert.deepEqual(stage.worked, order);
  }));

Deno.test("while nobody answers it goes on as it was, and says so once", () =>
  staged(async (stage) => {
    stage.answer = true;
    await eventually(() => stage.worked.at(-1) === "begin true");
    stage.answer = new Error("no API server");
    const from = stage.clock.slept.length;
    await eventually(() => stage.clock.slept.length > from + 5);
    assert.equal(stage.worked.at(-1), "begin true");
    assert.equal(
      stage.lines.filter((line) => /cannot be asked: no API server/.test(line)).length,
      1,
    );
    assert(Math.max(...stage.clock.slept) <= 60_000);
  }));

Deno.test("the end of the signal ends the work", async () => {
  let worked: readonly string[] = [];
  await staged(async (stage) => {
    worked = stage.worked;
    await eventually(() => stage.worked.length === 1);
  });
  assert.deepEqual(worked, ["begin false", "end false"]);
});

Deno.test("work that cannot go on is not hidden", async () => {
  const { logger } = loggerOf();
  const clock = new TestClock();
  const running = withGrantedRights({
    ask: () => Promise.resolve(true),
    work: () => Promise.reject(new Error("broken")),
    logger,
    clock,
  }, new AbortController().signal);
  await assert.rejects(running, /broken/);
  // The pause that it was in.
  await clock.sleep(0);
});
