import { parseArgs } from "node:util";
import { readArguments, UsageError } from "../../extension/build/task.ts";
import { FILE_SYSTEMS, type FileSystem } from "./disk.ts";

/** What the command line asks for. */
export interface PowerCutArguments {
  readonly cuts: number;
  readonly fileSystems: readonly FileSystem[];
  readonly seed: number;
  /** Only this cycle of the series. */
  readonly cycle?: number;
  readonly lies: boolean;
}

const DEFAULT_CUTS = 30;
/** The most cuts, and the largest seed and cycle, that can be asked for. */
const MAX_CUTS = 10_000;
const MAX_NUMBER = 2 ** 31 - 1;

/** What `--help` prints. */
export const USAGE =
  `usage: deno task powercut [--cuts N] [--fs ext4,xfs] [--seed N] [--cycle N] [--lies]

Takes packages in on a disk that forgets what was not flushed, cuts its power at random moments, and
looks for what was lost. Needs root on Linux.

  --cuts N   at least so many, on all file systems together (default ${DEFAULT_CUTS})
  --fs LIST  ${FILE_SYSTEMS.join(", ")} (default: all)
  --seed N   of packages and moments (default: another one each time)
  --cycle N  only this cycle of the series that the seed stands for
  --lies     on a disk that says that it has flushed and has not: losses are found`;

/**
 * @param random gives the seed when none is asked for.
 * @throws {UsageError}
 */
export function parseArguments(
  args: readonly string[],
  random: () => number = Math.random,
): PowerCutArguments {
  const values = parse(args);
  const named = values.fs?.split(",") ?? FILE_SYSTEMS;
  const fileSystems = FILE_SYSTEMS.filter((one) => named.includes(one));
  if (fileSystems.length !== named.length) {
    throw new UsageError(`--fs takes some of ${FILE_SYSTEMS.join(",")}, not ${values.fs}`);
  }
  const cycle = values.cycle === undefined ? {} : { cycle: number("cycle", values.cycle, 0) };
  return {
    cuts: number("cuts", values.cuts ?? `${DEFAULT_CUTS}`, 1, MAX_CUTS),
    fileSystems,
    seed: number("seed", values.seed ?? `${Math.floor(random() * MAX_NUMBER)}`, 0),
    lies: values.lies ?? false,
    ...cycle,
  };
}

function number(name: string, text: string, least: number, most = MAX_NUMBER): number {
  const value = Number(text);
  if (text.trim() !== "" && Number.isInteger(value) && value >= least && value <= most) {
    return value;
  }
  throw new UsageError(`--${name} takes a whole number from ${least} to ${most}, not ${text}`);
}

function parse(args: readonly string[]) {
  return readArguments(() =>
    parseArgs({
      args: [...args],
      options: {
        cuts: { type: "string" },
        fs: { type: "string" },
        seed: { type: "string" },
        cycle: { type: "string" },
        lies: { type: "boolean" },
      },
    }).values
  );
}
