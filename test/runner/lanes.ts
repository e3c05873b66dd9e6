import type { Schedule } from "./schedule.ts";
import type { Suite } from "./suite.ts";

/** Suites that run at once: end-to-end tests mostly wait. More would wait for one another. */
const LANES = 2;
/** The most that somebody may ask for. */
export const MAX_LANES = 16;

/** How many suites run at once unless somebody says otherwise. */
export function defaultLanes(processors: number = navigator.hardwareConcurrency): number {
  return Math.max(1, Math.min(LANES, processors));
}

/** How a schedule is run. */
export interface LaneOptions {
  readonly lanes: number;
  /** No further suite is begun. */
  readonly signal: AbortSignal;
  /** Runs one suite to its end. `lane` counts from 0; no two suites are in one at once. */
  readonly run: (suite: Suite, lane: number) => Promise<void>;
}

/**
 * Runs all suites: first those that may be beside others, in lanes, then the others one by one. If
 * one rejects none is begun any more; those that run are waited for.
 *
 * @throws what the first one rejected with.
 */
export async function runInLanes(schedule: Schedule, options: LaneOptions): Promise<void> {
  const lanes = Math.min(options.lanes, schedule.inLanes.length);
  await drain([...schedule.inLanes], { ...options, lanes });
  await drain([...schedule.alone], { ...options, lanes: 1 });
}

async function drain(queue: Suite[], { lanes, signal, run }: LaneOptions): Promise<void> {
  const work = async (lane: number) => {
    try {
      while (!signal.aborted) {
        const suite = queue.shift();
        if (suite === undefined) return;
        await run(suite, lane);
      }
    } catch (error) {
      queue.length = 0;
      throw error;
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: lanes }, (_, lane) => work(lane)));
  const failed = ends.find((end) => end.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
