import * as v from "valibot";
import { ClusterError } from "./errors.ts";

/** The longest answer of a node's pid 1, in bytes: some hundred processes. */
const MAX_ANSWER = 64 << 10;
const NEWLINE = 10;

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
  using connection = await connect(path);
  let answer: string;
  try {
    await writeAll(connection, new TextEncoder().encode(request));
    answer = await readLine(connection);
  } catch (cause) {
    throw new ClusterError({ reason: "NotUp", message: "the node does not answer", cause });
  }
  if (answer !== "") return answer;
  throw new ClusterError({ reason: "NotUp", message: "the node went off while it was asked" });
}

/**
 * A connection to an address as the node sees it, such as its own 127.0.0.1; the caller closes it.
 *
 * @throws {ClusterError} `NotUp` when the node is off, `ProcessFailed` when nothing listens there.
 */
export async function dial(socket: string, address: string): Promise<Deno.UnixConn> {
  const connection = await connect(socket);
  try {
    const request = JSON.stringify({ op: "connect", address }) + "\n";
    await writeAll(connection, new TextEncoder().encode(request));
    const { error } = v.parse(Response, JSON.parse(await readLine(connection)));
    if (error === undefined) return connection;
    throw new ClusterError({ reason: "ProcessFailed", message: error, disposition: "retry" });
  } catch (error) {
    connection.close();
    throw error;
  }
}

async function connect(path: string): Promise<Deno.UnixConn> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (cause) {
    throw new ClusterError({ reason: "NotUp", message: "the node does not answer", cause });
  }
}

/** Writes every byte. */
export async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
}

/** Reads one line, byte by byte: what follows it may be somebody else's. */
async function readLine(connection: Deno.Conn): Promise<string> {
  const line: number[] = [];
  const byte = new Uint8Array(1);
  while (line.length < MAX_ANSWER && await connection.read(byte) !== null) {
    if (byte[0] === NEWLINE) break;
    line.push(byte[0] ?? 0);
  }
  return new TextDecoder().decode(new Uint8Array(line));
}
