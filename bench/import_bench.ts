import { V8_FLAGS } from "../extension/build/compile.ts";
import { ensureTool, REPOSITORY_ROOT, TOOLS } from "../extension/build/go_tools.ts";
import { describeError } from "../src/std/mod.ts";
import { importByAgent, importFigures } from "./agent_import.ts";
import type { IngestReport } from "./ingest_once.ts";
import { type BenchPackage, makeBenchPackage, packageBytes, sizeText } from "./package_file.ts";
import { runProgram } from "./programs.ts";
import type { Benchmark, Figure, Preparation, Prepared, Side } from "./types.ts";

/** design.md §7. */
const TARGETS = [{ peer: "zstd | tar x", ratio: 0.9 }];
/** Of the package that memory is looked at with beside the one that is timed. */
const BIG_BYTES = 10_000_000_000;
/** Bytes of each MiB of it that cannot be compressed: its file has a third of a GB. */
const BIG_FRESH = 32 << 10;
/** How much of the disk has to be free for it, beside its content. */
const RESERVE = 5_000_000_000;

/** Reading, verifying and keeping a package against merely unpacking it. */
export const benchmark: Benchmark = {
  name: "import",
  what:
    "A package (1 GB, --size) is read, every checksum verified, and its parts put durably into" +
    " the store. zstd | tar x only unpacks it, and ends as well with every file flushed (fsync)." +
    " zarf package inspect definition unpacks and verifies it, flushes nothing, and removes it" +
    " again. All read from the page cache and write to the same disk. Package bytes per second.",
  peers: ["zstd | tar x", "zarf package inspect"],
  unit: "MB/s",
  higherIsBetter: true,
  prepare,
};

async function prepare(preparation: Preparation): Promise<Prepared> {
  const { directory, say } = preparation;
  const drop = `${directory}/drop`;
  await Deno.mkdir(drop);
  say("making the package");
  const made = await makeBenchPackage(drop, packageBytes(preparation));
  const size = (await Deno.stat(made.file)).size;
  const sides = [unpacking(made.file, directory, size)];
  const missing: string[] = [];
  try {
    const zarf = await ensureTool(TOOLS.zarf, say);
    sides.push(inspecting(zarf, made.file, directory, size));
  } catch (error) {
    missing.push(`zarf package inspect (${describeError(error)})`);
  }
  const big = await noBigPackage(preparation);
  if (big !== undefined) missing.push(big);
  return {
    cases: [{
      name: made.label,
      sides: [ours(drop, directory, size), ...sides],
      targets: TARGETS,
    }],
    figures: () => agentFigures(made, big === undefined, preparation),
    missing,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Why memory is not looked at with the big package, if it is not. */
async function noBigPackage(
  { directory, quick, size, signal }: Preparation,
): Promise<string | undefined> {
  const name = sizeText(BIG_BYTES);
  if (quick) return `memory with ${name} (--quick)`;
  if (size !== undefined) return `memory with ${name} (--size)`;
  const text = await runProgram("df", ["--output=avail", "-B1", directory], signal);
  const free = Number(text.trim().split("\n").at(-1));
  const needed = BIG_BYTES + RESERVE;
  if (free >= needed) return undefined;
  return `memory with ${name} (${sizeText(needed)} have to be free, ${sizeText(free)} are)`;
}

/** Memory and disk of the compiled agent, with the package that was timed and with the big one. */
async function agentFigures(
  timed: BenchPackage,
  big: boolean,
  preparation: Preparation,
): Promise<Figure[]> {
  const { directory, say } = preparation;
  const figuresOf = async (made: BenchPackage) => {
    say(`${made.label}: the agent takes it in`);
    return importFigures(made, await importByAgent(made, `${directory}/agent`, preparation));
  };
  const figures = await figuresOf(timed);
  if (!big) return figures;
  say(`making a package of ${sizeText(BIG_BYTES)}`);
  return [...figures, ...await figuresOf(await makeBenchPackage(directory, BIG_BYTES, BIG_FRESH))];
}

function ours(drop: string, directory: string, size: number): Side {
  const data = `${directory}/data`;
  return {
    name: "holdfast",
    run: (signal) =>
      cleanly(data, signal, async () => {
        const output = await runProgram(Deno.execPath(), [
          "run",
          "-A",
          `--v8-flags=${V8_FLAGS.join(",")}`,
          `${REPOSITORY_ROOT}/bench/ingest_once.ts`,
          drop,
          data,
        ], signal);
        const report: IngestReport = JSON.parse(output);
        return size / 1e6 / report.seconds;
      }),
  };
}

/** `sync FILE…` is fsync of each, as the store does it. */
const UNPACK = 'set -o pipefail; zstd -dcq -- "$1" | tar -x -C "$2" && find "$2" -exec sync {} +';

function unpacking(file: string, directory: string, size: number): Side {
  const tree = `${directory}/tree`;
  return {
    name: "zstd | tar x",
    run: (signal) =>
      cleanly(tree, signal, async () => {
        await Deno.mkdir(tree);
        return await speedOf("bash", ["-c", UNPACK, "unpack", file, tree], size, signal);
      }),
  };
}

/** Zarf unpacks the whole archive before it looks into it (Zarf 0.84, layout.LoadFromTar). */
function inspecting(zarf: string, file: string, directory: string, size: number): Side {
  const home = `${directory}/zarf`;
  return {
    name: "zarf package inspect",
    run: (signal) =>
      cleanly(home, signal, async () => {
        await Deno.mkdir(home);
        const args = ["package", "inspect", "definition", file, "--tmpdir", home, "--no-color"];
        return await speedOf(zarf, args, size, signal, { HOME: home });
      }),
  };
}

/** Megabytes of `size` per second of a program. */
async function speedOf(
  command: string,
  args: readonly string[],
  size: number,
  signal: AbortSignal,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const started = performance.now();
  await runProgram(command, args, signal, env);
  return size / 1e3 / (performance.now() - started);
}

/** Does `work` when the disk has nothing left to do, and removes what it made at `path`. */
async function cleanly(
  path: string,
  signal: AbortSignal,
  work: () => Promise<number>,
): Promise<number> {
  await runProgram("sync", [], signal);
  try {
    return await work();
  } finally {
    await Deno.remove(path, { recursive: true });
  }
}
