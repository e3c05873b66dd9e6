/**
 * Takes one package file into a new store, exactly as the agent does, but without the pause in which
 * the agent waits whether the file still grows: that pause is no work. Prints JSON.
 *
 *     deno run -A bench/ingest_once.ts DROP_DIRECTORY DATA_DIRECTORY
 *
 * @module
 */
import { Store } from "../src/store/mod.ts";
import { takeIn } from "../test/fixtures/take_in.ts";

/** What the measured process prints. */
export interface IngestReport {
  /** From the look that finds the file settled to its durable record. */
  readonly seconds: number;
}

async function ingestOnce(drop: string, data: string): Promise<IngestReport> {
  using store = Store.open(data);
  return { seconds: await takeIn(store, drop, 1) };
}

if (import.meta.main) {
  const [drop = "", data = ""] = Deno.args;
  const report = await ingestOnce(drop, data);
  Deno.stdout.writeSync(new TextEncoder().encode(JSON.stringify(report)));
}
