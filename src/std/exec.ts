import { HoldfastError } from "./errors.ts";

/** How a child process is run. */
export interface ExecOptions {
  readonly args?: readonly string[];
  /** Only these variables; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /**
   * Written to its standard input; otherwise that is empty. What comes in pieces is asked for as fast
   * as the child reads; when it fails, the input just ends there.
   */
  readonly stdin?: string | Uint8Array | AsyncIterable<Uint8Array>;
  /** Milliseconds until it is killed. */
  readonly timeout: number;
  readonly signal?: AbortSignal;
  /** How many bytes of each output are kept, the last ones. @default 1 MiB */
  readonly maxOutput?: number;
  /**
   * Starts it as the leader of a process group, which is what the time limit and the signal end. It
   * has ended when everything that holds its outputs has, as with Go's os/exec. @default false
   */
  readonly group?: boolean;
  /** Told of each piece of output as it comes, also of what is not kept. */
  readonly onOutput?: (stream: "stdout" | "stderr", bytes: Uint8Array) => void;
}

/** What a child process did. Its exit code is the caller's to judge. */
export interface ExecResult {
  readonly code: number;
  /** Whether it was killed because its time was up. */
  readonly timedOut: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Tests bring their own. */
export type Exec = (command: string, options: ExecOptions) => Promise<ExecResult>;

/** Why a program did not run. */
export class ExecError extends HoldfastError<"CommandNotStarted"> {}

const DEFAULT_MAX_OUTPUT = 1 << 20;
/** How long a child may take over SIGTERM before SIGKILL, in milliseconds. */
const KILL_GRACE = 5_000;
/**
 * How long the outputs may stay open once the child has ended, in milliseconds: a grandchild that it
 * left behind has them, too.
 */
const OUTPUT_GRACE = 1_000;

/**
 * Runs `command` and waits for its end; the time limit and the signal end it (its group, with
 * `group`) with SIGTERM, then SIGKILL.
 *
 * @throws {ExecError} when it cannot be started.
 */
export const exec: Exec = async (command, options) => {
  const child = start(command, options);
  let timedOut = false;
  let forceTimer: ReturnType<typeof setTimeout> | undefined;
  const killed = Promise.withResolvers<void>();
  const stop = () => {
    signalQuietly(child, "SIGTERM", options.group);
    forceTimer ??= setTimeout(() => {
      signalQuietly(child, "SIGKILL", options.group);
      killed.resolve();
    }, KILL_GRACE);
  };
  const timer = setTimeout(() => {
    timedOut = true;
    stop();
  }, options.timeout);
  if (options.signal?.aborted) stop();
  else options.signal?.addEventListener("abort", stop, { once: true });
  const limit = options.maxOutput ?? DEFAULT_MAX_OUTPUT;
  const tail = (name: "stdout" | "stderr") =>
    new Tail(child[name], limit, (bytes) => options.onOutput?.(name, bytes));
  const [stdout, stderr] = [tail("stdout"), tail("stderr")];
  const fed = feed(child.stdin, options.stdin);
  const { code } = await child.status;
  if (options.group) {
    await Promise.race([Promise.all([stdout.ended, stderr.ended]), killed.promise]);
  }
  clearTimeout(timer);
  clearTimeout(forceTimer);
  options.signal?.removeEventListener("abort", stop);
  await atMost(OUTPUT_GRACE, Promise.all([stdout.ended, stderr.ended, fed]));
  return { code, timedOut, stdout: await stdout.close(), stderr: await stderr.close() };
};

function start(command: string, options: ExecOptions): Deno.ChildProcess {
  try {
    return new Deno.Command(command, {
      args: [...options.args ?? []],
      env: { ...options.env },
      clearEnv: true,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      detached: options.group ?? false,
    }).spawn();
  } catch (cause) {
    throw new ExecError({
      reason: "CommandNotStarted",
      message: `cannot start ${command}`,
      remedy: "check that the file exists and may be executed",
      cause,
    });
  }
}

function signalQuietly(child: Deno.ChildProcess, signal: Deno.Signal, group = false): void {
  try {
    // The group's number is the leader's and stays taken while any of it lives.
    if (group) Deno.kill(-child.pid, signal);
    else child.kill(signal);
  } catch {
    // It ended in between.
  }
}

async function feed(
  stdin: WritableStream<Uint8Array>,
  input: ExecOptions["stdin"],
): Promise<void> {
  const writer = stdin.getWriter();
  try {
    if (typeof input === "string") await writer.write(new TextEncoder().encode(input));
    else if (input instanceof Uint8Array) await writer.write(input);
    else if (input !== undefined) { for await (const chunk of input) await writer.write(chunk); }
    await writer.close();
  } catch {
    // A child that does not read its input ends with a code of its own; one that still does must
    // not wait for more.
    writer.abort().catch(() => {});
  }
}

/** Waits for `work`, but no longer than `ms` milliseconds. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  await Promise.race([work, promise]);
  clearTimeout(timer);
}

/** Reads a stream and keeps its last `limit` bytes. */
class Tail {
  /** Resolves when the stream has ended. */
  readonly ended: Promise<void>;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #limit: number;
  readonly #onBytes: (bytes: Uint8Array) => void;
  readonly #chunks: Uint8Array[] = [];
  #held = 0;

  constructor(
    stream: ReadableStream<Uint8Array>,
    limit: number,
    onBytes: (bytes: Uint8Array) => void,
  ) {
    this.#reader = stream.getReader();
    this.#limit = limit;
    this.#onBytes = onBytes;
    this.ended = this.#read();
  }

  /** Stops reading and gives what was kept. */
  async close(): Promise<string> {
    await this.#reader.cancel();
    const bytes = new Uint8Array(await new Blob(this.#chunks as BlobPart[]).arrayBuffer());
    return new TextDecoder().decode(bytes.subarray(Math.max(0, bytes.length - this.#limit)));
  }

  async #read(): Promise<void> {
    for (;;) {
      const { value, done } = await this.#reader.read();
      if (done) return;
      this.#onBytes(value);
      this.#chunks.push(value);
      this.#held += value.length;
      const first = () => this.#chunks[0]?.length ?? Infinity;
      while (this.#held - first() >= this.#limit) this.#held -= this.#chunks.shift()?.length ?? 0;
    }
  }
}
