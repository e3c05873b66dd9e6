import { renderBytes } from "../../src/std/mod.ts";
import type { RunningAgent } from "./agent.ts";
import { diskUsage, memoryOf } from "./memory.ts";
import { BINARY } from "./program.ts";

/** Names and values, as they are printed. */
export type FigureRows = (readonly [name: string, value: string])[];

const MIB = 2 ** 20;
const QUIET_MINUTE = 60_000;
/** Milliseconds between two looks at a store that may still grow: more than an image's next file. */
const SETTLE_INTERVAL = 500;
const WRITES = "holdfast_api_writes_total";

/** Resident memory now and at its highest, for each agent. */
export function memoryRows(agents: readonly RunningAgent[]): FigureRows {
  return agents.map(({ node, pid }) => {
    const { residentBytes, peakBytes } = memoryOf(pid);
    const mebibytes = (bytes: number) => `${Math.round(bytes / MIB)} MiB`;
    return [
      `resident memory of the agent on ${node}`,
      `${mebibytes(residentBytes)} idle, ${mebibytes(peakBytes)} at its peak`,
    ];
  });
}

/** Bytes that the store of an agent takes: blobs and unpacked packages, nothing else. */
export async function storeUsage({ dataDir }: RunningAgent): Promise<number> {
  const parts = ["blobs", "packages"].map((part) => diskUsage(`${dataDir}/${part}`));
  return (await Promise.all(parts)).reduce((sum, bytes) => sum + bytes, 0);
}

/**
 * The same once it has stopped growing: an agent that has just started takes the registry's image
 * in beside its other work.
 */
export async function settledStoreUsage(
  agent: RunningAgent,
  signal: AbortSignal,
): Promise<number> {
  for (let last = -1;;) {
    const now = await storeUsage(agent);
    if (now === last) return now;
    last = now;
    await pause(SETTLE_INTERVAL, signal);
  }
}

/** What a package took of the disk, as a multiple of its own size. */
export function diskRow(packageBytes: number, before: number, after: number): FigureRows[number] {
  const used = after - before;
  return [
    "disk used by the store per package byte",
    `${(used / packageBytes).toFixed(2)} (${renderBytes(used)} for ${renderBytes(packageBytes)})`,
  ];
}

/** How often agents write to the API server while nothing happens. Takes a minute. */
export async function quietWrites(
  agents: readonly RunningAgent[],
  signal: AbortSignal,
): Promise<number> {
  const total = async () => {
    const counts = await Promise.all(agents.map(apiWrites));
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const before = await total();
  await pause(QUIET_MINUTE, signal);
  return await total() - before;
}

async function apiWrites({ statusUrl }: RunningAgent): Promise<number> {
  const response = await fetch(`${statusUrl}/metrics`);
  return parseMetric(await response.text(), WRITES);
}

/** The value of a metric without labels in Prometheus' text format. @throws when it is not there. */
export function parseMetric(text: string, name: string): number {
  const value = new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1];
  if (value === undefined) throw new Error(`the metrics have no ${name}`);
  return Number(value);
}

/** Waits; rejects when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const aborted = () => {
    clearTimeout(timer);
    reject(signal.reason);
  };
  const timer = setTimeout(() => {
    signal.removeEventListener("abort", aborted);
    resolve();
  }, ms);
  if (signal.aborted) aborted();
  else signal.addEventListener("abort", aborted, { once: true });
  return promise;
}

/** The size of the compiled program; nothing where there is none. */
export async function binaryRow(): Promise<FigureRows> {
  try {
    return [["size of the binary", renderBytes((await Deno.stat(BINARY)).size)]];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
