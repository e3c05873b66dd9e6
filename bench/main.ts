/**
 * `deno task bench [NAME…]`: the one harness for all measurements. A benchmark is a file
 * `<name>_bench.ts` beside this one that exports `benchmark`.
 *
 * @module
 */
import { REPOSITORY_ROOT } from "../extension/build/go_tools.ts";
import { complain, printLine, runTask } from "../extension/build/task.ts";
import { describeError } from "../src/std/mod.ts";
import { onInterrupt } from "../test/demo/interrupt.ts";
import { type BenchArguments, parseArguments, USAGE } from "./arguments.ts";
import { type Result, runBenchmark } from "./harness.ts";
import { describeMachine } from "./machine.ts";
import { reportLines } from "./report.ts";
import { renderSvg } from "./svg.ts";
import type { Benchmark } from "./types.ts";

const HERE = `${REPOSITORY_ROOT}/bench`;
const SUFFIX = "_bench.ts";

function benchmarkNames(): string[] {
  return [...Deno.readDirSync(HERE)]
    .filter(({ name }) => name.endsWith(SUFFIX))
    .map(({ name }) => name.slice(0, -SUFFIX.length))
    .sort();
}

async function loadBenchmark(name: string): Promise<Benchmark> {
  const module: { benchmark: Benchmark } = await import(`./${name}${SUFFIX}`);
  return module.benchmark;
}

async function main(args: BenchArguments): Promise<number> {
  const benchmarks = await Promise.all(args.names.map(loadBenchmark));
  if (args.list) {
    for (const { name, what, peers } of benchmarks) {
      printLine(`${name.padEnd(10)} ${what} Against: ${peers.join(", ")}.`);
    }
    return 0;
  }
  using interrupt = onInterrupt();
  let failed = 0;
  for (const benchmark of benchmarks) {
    try {
      save(await measure(benchmark, args, interrupt.signal), args);
    } catch (error) {
      interrupt.signal.throwIfAborted();
      complain(`${benchmark.name} was not measured: ${describeError(error)}`);
      failed++;
    }
  }
  return failed === 0 ? 0 : 1;
}

async function measure(
  benchmark: Benchmark,
  { runs, quick, size }: BenchArguments,
  signal: AbortSignal,
): Promise<Result> {
  // Below the repository: on the disk of the project, and never a file system in memory.
  const directory = `${REPOSITORY_ROOT}/dist/bench/${benchmark.name}-${Deno.pid}`;
  await Deno.mkdir(directory, { recursive: true });
  const say = (line: string) => complain(`  ${line}`);
  try {
    complain(`${benchmark.name}: preparing`);
    const preparation = { directory, quick, signal, say, ...(size === undefined ? {} : { size }) };
    await using prepared = await benchmark.prepare(preparation);
    for (const what of prepared.missing) complain(`  left out: ${what}`);
    const machine = describeMachine();
    return await runBenchmark(benchmark, prepared, { runs, signal, say, machine, now: new Date() });
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function save(result: Result, { svg, quick, size }: BenchArguments): void {
  printLine(["", ...reportLines(result), ""].join("\n"));
  Deno.mkdirSync(`${HERE}/results`, { recursive: true });
  // Kept apart: what --quick measures is no result, and other sizes are another one.
  const suffix = `${size === undefined ? "" : `-${size / 1e6}m`}${quick ? "-quick" : ""}`;
  const json = `bench/results/${result.name}${suffix}.json`;
  Deno.writeTextFileSync(`${REPOSITORY_ROOT}/${json}`, JSON.stringify(result, null, 2) + "\n");
  printLine(`written: ${json}`);
  if (!svg || suffix !== "") return;
  const drawing = `docs/bench/${result.name}.svg`;
  Deno.mkdirSync(`${REPOSITORY_ROOT}/docs/bench`, { recursive: true });
  Deno.writeTextFileSync(`${REPOSITORY_ROOT}/${drawing}`, renderSvg(result));
  printLine(`written: ${drawing}`);
}

if (import.meta.main) {
  const parse = (args: readonly string[]) => parseArguments(args, benchmarkNames());
  await runTask({ name: "bench", usage: USAGE, parse, run: main });
}
