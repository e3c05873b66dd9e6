/**
 * Takes one package file into a new store, exactly as the agent does, but without the pause in which
 * the agent waits whether the file still grows: that pause is no work. Prints JSON.
 *
 *     deno run -A bench/ingest_once.ts DROP_DIRECTORY DATA_DIRECTORY
 *
 * @module
 */
import { DropWatcher } from "../src/drop/mod.ts";
import { type Clock, silentLogger, systemClock } from "../src/std/mod.ts";
import { Store } from "../src/store/mod.ts";
import { memoryOf } from "../test/demo/memory.ts";

/** What the measured process prints. */
export interface IngestReport {
  /** From the first look at the settled file to its durable record. */
  readonly seconds: number;
  /** Largest resident memory of the whole process, in bytes. */
  readonly peakBytes: number;
}

/** Longer than any time for which a file must lie still. */
const JUMP = 60_000;

async function ingestOnce(drop: string, data: string): Promise<IngestReport> {
  let ahead = 0;
  const clock: Clock = { ...systemClock, monotonic: () => performance.now() + ahead };
  using store = Store.open(data);
  const watcher = new DropWatcher({
    directories: [drop],
    store,
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    trust: [],
    logger: silentLogger,
    onChange() {},
    clock,
  });
  const { signal } = new AbortController();
  await watcher.look(signal);
  ahead = JUMP;
  const started = performance.now();
  await watcher.look(signal);
  const seconds = (performance.now() - started) / 1_000;
  if (store.records.listPackages().length !== 1) {
    const outcomes = store.records.listDrops().map((one) => JSON.stringify(one.outcome));
    throw new Error(`the package was not accepted: ${outcomes.join(" ")}`);
  }
  return { seconds, peakBytes: memoryOf(Deno.pid).peakBytes };
}

if (import.meta.main) {
  const [drop = "", data = ""] = Deno.args;
  const report = await ingestOnce(drop, data);
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(report)));
  Deno.exit(0);
}
