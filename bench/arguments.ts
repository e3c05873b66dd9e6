import { parseArgs } from "node:util";
import { readArguments, UsageError } from "../extension/build/task.ts";
import { DEFAULT_RUNS } from "./harness.ts";

/** What the command line asks for. */
export interface BenchArguments {
  /** Empty means all. */
  readonly names: readonly string[];
  readonly runs: number;
  readonly quick: boolean;
  readonly list: boolean;
  readonly svg: boolean;
  /** Bytes of the package that `import` and `verify` read. */
  readonly size?: number;
}

/** The most rounds that can be asked for. */
const MAX_RUNS = 100;
/** Rounds with `--quick`. */
const QUICK_RUNS = 1;

/** What --size takes, in bytes. */
const SIZES = { least: 1_000_000, most: 100_000_000_000 };
const UNITS: Readonly<Record<string, number>> = { m: 1e6, g: 1e9 };

/** What `--help` prints. */
export const USAGE =
  `usage: deno task bench [NAME…] [--runs N] [--size SIZE] [--quick] [--svg] [--list]

Runs every side of a benchmark in turns and prints median, spread and ratio. Results go to
bench/results/NAME.json. Without a name all benchmarks run.

  --runs N  rounds after the one that warms up (default ${DEFAULT_RUNS})
  --size S  of the package that import and verify read: 500m, 10g (default 1g)
  --quick   little data and one round: shows that it works, not how fast (NAME-quick.json)
  --svg     also draw docs/bench/NAME.svg
  --list    only say what there is`;

/**
 * @param known the names of all benchmarks.
 * @throws {UsageError}
 */
export function parseArguments(args: readonly string[], known: readonly string[]): BenchArguments {
  const { values, positionals } = parse(args);
  const strange = positionals.find((name) => !known.includes(name));
  if (strange !== undefined) {
    throw new UsageError(`there is no benchmark ${strange}; there are ${known.join(", ")}`);
  }
  const runs = values.runs === undefined ? undefined : Number(values.runs);
  if (runs !== undefined && !(Number.isInteger(runs) && runs >= 1 && runs <= MAX_RUNS)) {
    throw new UsageError(`--runs takes a number from 1 to ${MAX_RUNS}, not ${values.runs}`);
  }
  const size = values.size === undefined ? undefined : parseSize(values.size);
  const quick = values.quick ?? false;
  return {
    names: positionals.length === 0 ? known : [...new Set(positionals)],
    runs: runs ?? (quick ? QUICK_RUNS : DEFAULT_RUNS),
    quick,
    list: values.list ?? false,
    svg: values.svg ?? false,
    ...(size === undefined ? {} : { size }),
  };
}

function parseSize(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)([mg])$/i.exec(text) ?? [];
  const bytes = Math.round(Number(number) * (UNITS[unit.toLowerCase()] ?? NaN));
  if (bytes >= SIZES.least && bytes <= SIZES.most) return bytes;
  throw new UsageError(`--size takes a size from 1m to 100g, not ${text}`);
}

function parse(args: readonly string[]) {
  return readArguments(() =>
    parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        runs: { type: "string" },
        size: { type: "string" },
        quick: { type: "boolean" },
        list: { type: "boolean" },
        svg: { type: "boolean" },
      },
    })
  );
}
