import assert from "node:assert/strict";
import { randomNumbers } from "../../test/fakes/testing.ts";
import { withFastDirectory } from "./testing.ts";
import type { Lie } from "./testing_disk.ts";
import { trial, type TrialOptions } from "./testing_trial.ts";

/** How many trials there are, however long they take. */
const WANTED = Deno.env.get("HOLDFAST_LOST_WRITES");
const SEEDS = Number(WANTED ?? 2_000);
/** Unless a number is wanted, a busy machine makes fewer of them: no more within this time, in ms. */
const MAX_TIME = WANTED === undefined ? 60_000 : Infinity;
/** Trials of a disk that lies. */
const LYING_SEEDS = 60;

interface Outcome {
  readonly trials: number;
  readonly powerCuts: number;
  /** By the seed that brings it again. */
  readonly losses: ReadonlyMap<number, readonly string[]>;
}

/** A trial for each of so many seeds, from 1. */
async function trials(
  seeds: number,
  options: Pick<TrialOptions, "lies" | "onlyPowerCuts"> = {},
): Promise<Outcome> {
  const losses = new Map<number, readonly string[]>();
  let powerCuts = 0;
  let seed = 1;
  const deadline = performance.now() + MAX_TIME;
  await withFastDirectory(async (root) => {
    for (; seed <= seeds && performance.now() < deadline; seed++) {
      const dir = `${root}/${seed}`;
      Deno.mkdirSync(dir);
      const result = await trial({ root: dir, random: randomNumbers(seed), ...options });
      powerCuts += result.powerCuts;
      if (result.losses.length > 0) losses.set(seed, result.losses);
      Deno.removeSync(dir, { recursive: true });
    }
  });
  return { trials: seed - 1, powerCuts, losses };
}

Deno.test("stores that lose their power again and again lose nothing that they acknowledged", async () => {
  const { trials: made, powerCuts, losses } = await trials(SEEDS);
  assert.deepEqual(Object.fromEntries(losses), {});
  assert.ok(made === SEEDS || made > 200, `${made} trials`);
  assert.ok(powerCuts > made, `${powerCuts} power cuts in ${made} trials`);
});

// Without these, the test above could be one that nothing fails.
for (
  const [lie, losses] of [
    ["fsyncFile", [/damaged by the unclean stop/, /files of \w+ are not whole/, /a record and no/]],
    ["fsyncDir", [/blob .* is lost/, /has a record and no files/, /record of \w+ is lost/]],
  ] as const
) {
  Deno.test(`on a disk whose ${lie} does nothing, losses are found`, async () => {
    const lies: readonly Lie[] = [lie];
    const found = [...(await trials(LYING_SEEDS, { lies })).losses.values()];
    assert.ok(found.length > LYING_SEEDS / 3, `in ${found.length} of ${LYING_SEEDS}`);
    for (const loss of losses) {
      assert.ok(found.flat().some((text) => loss.test(text)), `${loss} in ${found.flat()}`);
    }
  });
}

Deno.test("on a disk whose fsyncFile does nothing, no bad blob is there after a start", async () => {
  // What a start has read from the kernel's cache, or a store was closed with, is believed.
  const { losses } = await trials(LYING_SEEDS, { lies: ["fsyncFile"], onlyPowerCuts: true });
  const found = [...losses.values()].flat();
  assert.deepEqual(found.filter((text) => /has other bytes/.test(text)), []);
  assert.ok(found.some((text) => /moved aside/.test(text)), "there were bad blobs");
});
