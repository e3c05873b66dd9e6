import { V8_FLAGS } from "../extension/build/compile.ts";
import { REPOSITORY_ROOT } from "../extension/build/go_tools.ts";
import { diskUsage } from "../test/demo/memory.ts";
import { writePackage } from "../test/fixtures/make_package.ts";
import type { IngestReport } from "./ingest_once.ts";
import { runProgram } from "./programs.ts";
import type { Benchmark, Preparation, Prepared, Side } from "./types.ts";

const LAYERS = 4;
const PACKAGE_BYTES = 1_000_000_000;
const QUICK_BYTES = 40_000_000;
const MIB = 2 ** 20;
/** design.md §7. */
const TARGETS = {
  ratio: 0.9,
  memory: "<= 200 MiB during a 10 GB package",
  disk: "<= 1.1",
};

/** What the runs of our side left to be told. */
interface Seen {
  peakBytes: number;
  diskBytes: number;
}

/** Reading, verifying and keeping a package against merely unpacking it. */
export const benchmark: Benchmark = {
  name: "import",
  what:
    "A package of one gigabyte is read, every checksum verified, and its parts put durably into" +
    " the store; the peer only unpacks it. Both read from the page cache, write to the same disk" +
    " and end with every file flushed (fsync). Package bytes per second.",
  peers: ["zstd | tar x"],
  unit: "MB/s",
  higherIsBetter: true,
  prepare,
};

async function prepare({ directory, quick, say }: Preparation): Promise<Prepared> {
  const drop = `${directory}/drop`;
  await Deno.mkdir(drop);
  const file = `${drop}/zarf-package-bench-amd64-1.0.0.tar.zst`;
  say("making the package");
  await makePackage(file, quick ? QUICK_BYTES : PACKAGE_BYTES);
  const size = (await Deno.stat(file)).size;
  const seen: Seen = { peakBytes: 0, diskBytes: 0 };
  return {
    cases: [{
      name: quick ? "40 MB package" : "1 GB package",
      sides: [ours(drop, directory, size, seen), unpacking(file, directory, size)],
      targets: [{ peer: "zstd | tar x", ratio: TARGETS.ratio }],
    }],
    figures: () => [
      {
        name: "peak resident memory of the importing process",
        value: `${Math.round(seen.peakBytes / MIB)} MiB`,
        target: TARGETS.memory,
      },
      {
        name: "disk used per package byte",
        value: (seen.diskBytes / size).toFixed(3),
        target: TARGETS.disk,
      },
    ],
    missing: [],
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Layers are compressed in real images, so these cannot be compressed either. */
async function makePackage(file: string, bytes: number): Promise<void> {
  const layers = Array.from({ length: LAYERS }, (_, at) => ({
    size: Math.floor(bytes / LAYERS),
    seed: at + 1,
  }));
  const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
  await writePackage(file, {
    name: "bench",
    architecture,
    images: [{ reference: "docker.io/library/bench:1.0.0", layers }],
  });
}

function ours(drop: string, directory: string, size: number, seen: Seen): Side {
  const data = `${directory}/data`;
  return {
    name: "holdfast",
    async run(signal) {
      await startClean(data, signal);
      const output = await runProgram(Deno.execPath(), [
        "run",
        "-A",
        `--v8-flags=${V8_FLAGS.join(",")}`,
        `${REPOSITORY_ROOT}/bench/ingest_once.ts`,
        drop,
        data,
      ], signal);
      const report: IngestReport = JSON.parse(output);
      seen.peakBytes = Math.max(seen.peakBytes, report.peakBytes);
      seen.diskBytes = await diskUsage(data);
      return size / 1e6 / report.seconds;
    },
  };
}

/** `sync FILE…` is fsync of each, as the store does it. */
const UNPACK = 'set -o pipefail; zstd -dcq -- "$1" | tar -x -C "$2" && find "$2" -exec sync {} +';

function unpacking(file: string, directory: string, size: number): Side {
  const tree = `${directory}/tree`;
  return {
    name: "zstd | tar x",
    async run(signal) {
      await startClean(tree, signal);
      await Deno.mkdir(tree);
      const started = performance.now();
      await runProgram("bash", ["-c", UNPACK, "unpack", file, tree], signal);
      return size / 1e3 / (performance.now() - started);
    },
  };
}

/** Removes what an earlier round wrote and waits until the disk has nothing left to do for it. */
async function startClean(path: string, signal: AbortSignal): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await runProgram("sync", [], signal);
}
