import type { FileSystem } from "./disk.ts";
import type { Pool } from "./packages.ts";
import { Random } from "./random.ts";

/**
 * Since when the time to a cut counts: the start of the program, the moment in which it says that it
 * reads a file, or is done with it, or is done with all.
 */
export type Stage = "start" | "reading" | "done" | "idle";

/** When the power is cut. */
export interface Moment {
  readonly after: Stage;
  /** Which file of those that wait, in the order of their names: 0 the first, 1 the last. */
  readonly share: number;
  /** Milliseconds after that. */
  readonly delay: number;
}

/** One run of the program. */
export interface Round {
  /** Names of files that are dropped before it starts. */
  readonly drops: readonly string[];
  /** Its end; without one it goes on until all is done, is looked at, and is stopped. */
  readonly cut?: Moment;
}

/** What happens on one disk. */
export interface CyclePlan {
  /** The agent as it is compiled, or its store alone with links into the in-cluster registry. */
  readonly subject: "agent" | "registry";
  readonly fileSystem: FileSystem;
  /** Whether the packages lie on the same disk. */
  readonly dropsOnDisk: boolean;
  /** Whether the agent takes in the registry's image from beside it, too. */
  readonly seed: boolean;
  readonly rounds: readonly Round[];
}

/** Of so many cycles one has the in-cluster registry. */
const REGISTRY_EVERY = 5;
/** How long the stages take, in milliseconds: a delay is at most so much. */
const DELAYS: Readonly<Record<Stage, number>> = { start: 700, reading: 400, done: 60, idle: 300 };
/** What a first run and what one after a cut is most likely to be cut in. */
const FIRST: readonly (readonly [Stage, number])[] = [
  ["start", 10],
  ["reading", 68],
  ["done", 12],
  ["idle", 10],
];
const AGAIN: readonly (readonly [Stage, number])[] = [
  ["start", 35],
  ["reading", 52],
  ["done", 8],
  ["idle", 5],
];
/** How many good packages a cycle has. */
const PACKAGES = [5, 7] as const;

/** The plan of cycle number `index`; it depends on nothing else than what is given. */
export function planCycle(
  seed: number,
  index: number,
  fileSystem: FileSystem,
  pool: Pool,
): CyclePlan {
  const random = new Random(seed, index);
  const subject = index % REGISTRY_EVERY === REGISTRY_EVERY - 1 ? "registry" : "agent";
  const seeded = subject === "agent" && random.chance(0.25);
  const good = random.some(pool.good, random.between(...PACKAGES));
  const bad = random.chance(0.2) ? random.some(pool.bad, random.between(1, 2)) : [];
  const dropsOnDisk = random.chance(0.35);
  const cuts = Array.from(
    { length: random.weighted([[1, 45], [2, 35], [3, 20]]) },
    (_, at) => moment(random, at === 0 ? FIRST : AGAIN),
  );
  // At times the first cut comes to a store that was closed in order once.
  const ends = [...random.chance(0.2) ? [undefined] : [], ...cuts, undefined];
  const first = ends.findIndex((cut) => cut !== undefined);
  const places = good.map((_, at) => {
    // Each run has something to read.
    if (at < ends.length) return at;
    return random.chance(0.4) ? first : random.between(0, ends.length - 1);
  });
  // Sorted: a newer version of a name stands later in the pool, and is dropped no earlier.
  places.sort((a, b) => a - b);
  const rounds = ends.map((cut, round): Round => {
    const files = [...good.filter((_, at) => places[at] === round), ...round === first ? bad : []];
    return { drops: files.map(({ file }) => file), ...(cut === undefined ? {} : { cut }) };
  });
  return { subject, fileSystem, dropsOnDisk, seed: seeded, rounds };
}

function moment(random: Random, stages: typeof FIRST): Moment {
  const after = random.weighted(stages);
  return { after, share: random.next(), delay: random.between(0, DELAYS[after]) };
}
