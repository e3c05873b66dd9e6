import * as v from "valibot";
import { HoldfastError } from "../std/mod.ts";
import { type OutputFormat, printAs } from "./output.ts";
import { table } from "./table.ts";
import type { Terminal } from "./terminal.ts";

/** The agent did not answer. */
export class StatusUnavailable extends HoldfastError<"AgentUnavailable"> {}

/** How long the agent may take to answer, in milliseconds. */
const TIMEOUT = 5_000;

const statusSchema = v.object({
  node: v.string(),
  version: v.string(),
  parts: v.array(v.object({ name: v.string(), ok: v.boolean(), message: v.string() })),
  packages: v.array(v.looseObject({
    file: v.string(),
    package: v.optional(v.object({ name: v.string(), version: v.string(), signature: v.string() })),
    phase: v.string(),
    message: v.string(),
  })),
});

/** Asks the agent on this node how it is and prints the answer. */
export async function statusCommand(
  address: string,
  format: OutputFormat,
  terminal: Terminal,
): Promise<void> {
  const status = await fetchStatus(address);
  printAs(format, status, () => statusTables(status), terminal);
}

function statusTables(status: unknown): string {
  const { parts, packages } = v.parse(statusSchema, status);
  const packageTable = table(
    ["PACKAGE", "VERSION", "SIGNATURE", "PHASE", "MESSAGE"],
    packages.map((one) => [
      one.package?.name ?? one.file.slice(one.file.lastIndexOf("/") + 1),
      one.package?.version ?? "",
      one.package?.signature ?? "",
      one.phase,
      one.message,
    ]),
  );
  const partTable = table(
    ["PART", "STATE", "MESSAGE"],
    parts.map((part) => [part.name, part.ok ? "ok" : "not ok", part.message]),
  );
  return `${packageTable}\n${partTable}`;
}

async function fetchStatus(address: string): Promise<unknown> {
  try {
    const response = await fetch(`http://${address}/api/v1/status`, {
      signal: AbortSignal.timeout(TIMEOUT),
    });
    if (response.ok) return await response.json();
    await response.body?.cancel();
    throw new Error(`the answer is ${response.status}`);
  } catch (cause) {
    throw new StatusUnavailable({
      reason: "AgentUnavailable",
      message: `no agent answers on ${address}`,
      remedy: "start it with `holdfast agent`, or give its --status-address",
      cause,
    });
  }
}
