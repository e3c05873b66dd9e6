/**
 * Reads one package into the real staging of a store, as the agent's worker does, and prints what
 * that took and why it was refused, as JSON: in a process of its own, to look at its memory.
 *
 *     deno run -A test/zoo/read_one.ts FILE [DATA-DIRECTORY]
 *
 * Without a data directory what is read goes nowhere.
 *
 * @module
 */
import { type EntryWriter, type PackageSink, readPackage } from "../../src/package/mod.ts";
import { describeError, HoldfastError } from "../../src/std/mod.ts";
import { Staging } from "../../src/store/mod.ts";

/** What is printed. */
export interface ReadOutcome {
  readonly milliseconds: number;
  /** The most resident memory that the process ever had (VmHWM), in bytes. */
  readonly peakResidentBytes: number;
  /** Why it was refused; absent where it was accepted. */
  readonly refused?: { readonly reason: string; readonly message: string };
}

const NOTHING: EntryWriter = { write() {}, close() {}, abort() {} };
const NOWHERE: PackageSink = {
  blob: () => NOTHING,
  file: () => NOTHING,
  directory() {},
  symlink() {},
  readBlob: () => new Uint8Array(),
};

if (import.meta.main) {
  const [path, dataDir] = Deno.args;
  if (path === undefined) throw new Error("usage: read_one.ts FILE [DATA-DIRECTORY]");
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(await readOne(path, dataDir))));
}

async function readOne(path: string, dataDir: string | undefined): Promise<ReadOutcome> {
  using file = Deno.openSync(path);
  const staging = dataDir === undefined ? undefined : Staging.create(dataDir, "one");
  const begin = performance.now();
  let refused: ReadOutcome["refused"];
  try {
    const contents = await readPackage(
      { size: file.statSync().size, read: (buffer) => file.readSync(buffer) ?? 0 },
      {
        format: path.endsWith(".tar") ? "tar" : "tar.zst",
        architecture: "amd64",
        sink: staging ?? NOWHERE,
      },
    );
    // As between the worker and the agent, and into the record.
    JSON.stringify(structuredClone(contents));
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    refused = { reason: error.reason, message: describeError(error) };
  } finally {
    staging?.discard();
  }
  const milliseconds = performance.now() - begin;
  const status = Deno.readTextFileSync("/proc/self/status");
  return {
    milliseconds,
    peakResidentBytes: Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) * 1024,
    ...(refused === undefined ? {} : { refused }),
  };
}
