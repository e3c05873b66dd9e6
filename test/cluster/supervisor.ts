import * as v from "valibot";
import { ClusterError } from "./errors.ts";

/** A process of a node as its pid 1 knows it (tools/node/supervisor.go). */
export interface SupervisedProcess {
  readonly name: string;
  /** In the node's own process namespace. */
  readonly pid: number;
  readonly running: boolean;
  /** Its exit code, when it ended by itself. */
  readonly code: number;
  /** The signal that ended it, or 0. */
  readonly signal: number;
  /** How often it was started again. */
  readonly restarts: number;
}

/** What pid 1 can be asked. */
export type SupervisorRequest =
  | {
    readonly op: "start";
    readonly name: string;
    readonly argv: readonly string[];
    /** `NAME=value`. */
    readonly env: readonly string[];
    readonly log: string;
    readonly restart?: boolean;
  }
  | { readonly op: "signal"; readonly name: string; readonly signal: number }
  | { readonly op: "wait"; readonly name: string }
  | { readonly op: "list" };

const Response = v.object({
  error: v.optional(v.string()),
  processes: v.nullable(v.array(v.object({
    name: v.string(),
    pid: v.number(),
    running: v.boolean(),
    code: v.number(),
    signal: v.number(),
    restarts: v.number(),
  }))),
});

/**
 * Asks a node's pid 1 and gives the processes that the answer is about.
 *
 * @throws {ClusterError} `NotUp` when the node is off, or goes off before it answers;
 * `ProcessFailed` when it refuses.
 */
export async function ask(
  socket: string,
  request: SupervisorRequest,
): Promise<readonly SupervisedProcess[]> {
  const text = await exchange(socket, JSON.stringify(request) + "\n");
  const response = v.parse(Response, JSON.parse(text));
  if (response.error !== undefined) {
    throw new ClusterError({ reason: "ProcessFailed", message: response.error });
  }
  return response.processes ?? [];
}

async function exchange(path: string, request: string): Promise<string> {
  let answer = "";
  try {
    using connection = await Deno.connect({ transport: "unix", path });
    const bytes = new TextEncoder().encode(request);
    for (let sent = 0; sent < bytes.length;) {
      sent += await connection.write(bytes.subarray(sent));
    }
    // One line, then pid 1 closes.
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(16 << 10);
    for (let count; (count = await connection.read(buffer)) !== null;) {
      answer += decoder.decode(buffer.subarray(0, count), { stream: true });
    }
  } catch (cause) {
    throw new ClusterError({ reason: "NotUp", message: "the node does not answer", cause });
  }
  if (answer !== "") return answer;
  throw new ClusterError({ reason: "NotUp", message: "the node went off while it was asked" });
}
