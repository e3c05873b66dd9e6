import { build } from "../extension/build/main.ts";
import { ensureTool, TOOLS } from "../extension/build/go_tools.ts";
import { describeError } from "../src/std/mod.ts";
import { BINARY } from "../test/demo/program.ts";
import { makeBenchPackage, packageBytes } from "./package_file.ts";
import { runProgram } from "./programs.ts";
import type { Benchmark, Preparation, Prepared, Side } from "./types.ts";

/** Verifying a package without keeping anything of it. */
export const benchmark: Benchmark = {
  name: "verify",
  what: "holdfast package verify reads a package (1 GB, --size) and checks every checksum in it." +
    " zarf package inspect definition does so too, but unpacks it first (zarf package verify" +
    " refuses what nobody signed, Zarf 0.84). zstd | openssl only hashes (sha256) what" +
    " comes out of the decompressor, in two processes. All read from the page cache. Seconds.",
  peers: ["zarf package inspect", "zstd | openssl"],
  unit: "s",
  higherIsBetter: false,
  prepare,
};

async function prepare(preparation: Preparation): Promise<Prepared> {
  const { directory, say } = preparation;
  say("making the package");
  const { file, label } = await makeBenchPackage(directory, packageBytes(preparation));
  await build(["binary"], say);
  const missing: string[] = [];
  const peers = [hashing(file)];
  try {
    peers.unshift(zarfInspect(await ensureTool(TOOLS.zarf, say), file, directory));
  } catch (error) {
    missing.push(`zarf package inspect (${describeError(error)})`);
  }
  return {
    cases: [{
      name: label,
      sides: [ours(file), ...peers],
      targets: [],
    }],
    figures: () => [],
    missing,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

function ours(file: string): Side {
  return {
    name: "holdfast",
    run: (signal) => secondsOf(BINARY, ["package", "verify", file], signal),
  };
}

function zarfInspect(zarf: string, file: string, directory: string): Side {
  const home = `${directory}/zarf`;
  const args = ["package", "inspect", "definition", file, "--tmpdir", home, "--no-color"];
  return {
    name: "zarf package inspect",
    async run(signal) {
      await Deno.mkdir(home);
      try {
        return await secondsOf(zarf, args, signal, { HOME: home });
      } finally {
        await Deno.remove(home, { recursive: true });
      }
    },
  };
}

function hashing(file: string): Side {
  const script = 'set -o pipefail; zstd -dcq -- "$1" | openssl dgst -sha256';
  return {
    name: "zstd | openssl",
    run: (signal) => secondsOf("bash", ["-c", script, "hash", file], signal),
  };
}

async function secondsOf(
  command: string,
  args: readonly string[],
  signal: AbortSignal,
  env: Readonly<Record<string, string>> = {},
): Promise<number> {
  const started = performance.now();
  await runProgram(command, args, signal, env);
  return (performance.now() - started) / 1_000;
}
