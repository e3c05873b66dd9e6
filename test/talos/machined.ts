import { Buffer } from "node:buffer";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";

/** The bit of CAP_SYS_RESOURCE (linux/capability.h). */
const CAP_SYS_RESOURCE = 24n;
const SCORE = "/proc/%d/oom_score_adj";
/** Of the same length, and takes whatever is written. */
const NOWHERE = "/proc/%d/root/dev/null";

/**
 * The bytes of machined. Where no process may lower `oom_score_adj`, which ends machined, they write
 * it nowhere instead; no other byte is changed.
 */
export async function machinedBytes(mayLower = hasSysResource()): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = await Deno.readFile(await ensureTool(TOOLS.machined));
  return mayLower ? bytes : replaced(bytes, SCORE, NOWHERE);
}

/**
 * Replaces a text by another of the same length, wherever it is.
 *
 * @throws {Error} when it is nowhere, or the lengths differ.
 */
export function replaced(
  bytes: Uint8Array<ArrayBuffer>,
  old: string,
  by: string,
): Uint8Array<ArrayBuffer> {
  const from = new TextEncoder().encode(old);
  const to = new TextEncoder().encode(by);
  if (from.length !== to.length) throw new Error(`${by} is not as long as ${old}`);
  // The bytes are found and changed in place.
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let found = 0;
  for (let at = buffer.indexOf(from); at >= 0; at = buffer.indexOf(from, at + to.length)) {
    buffer.set(to, at);
    found++;
  }
  if (found === 0) throw new Error(`${old} is not in it`);
  return bytes;
}

/** Whether this process has CAP_SYS_RESOURCE, and so its children. */
function hasSysResource(): boolean {
  const line = /^CapEff:\s+(\S+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1] ?? "0";
  return (BigInt(`0x${line}`) >> CAP_SYS_RESOURCE & 1n) === 1n;
}
