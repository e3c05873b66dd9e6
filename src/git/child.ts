import { oneLine } from "../std/mod.ts";

/** How long a child may take over SIGTERM before SIGKILL, in milliseconds. */
const KILL_GRACE = 2_000;
/** How much of its standard error is kept, in characters. */
const MAX_SAID = 2_048;

/** A child whose output is read as it comes. */
export interface StreamingChild {
  /** Its output; reading slowly slows it down, cancelling ends it. */
  readonly output: ReadableStream<Uint8Array>;
  readonly input: WritableStream<Uint8Array>;
  /** What it said on standard error, on one line, once it has ended with something else than 0. */
  readonly ended: Promise<string | undefined>;
  /** Ends it and what it started. */
  stop(): void;
}

/**
 * Starts a program as the leader of a process group of its own. After `timeout` milliseconds, or when
 * nobody reads its output any more, the group is ended with SIGTERM, then SIGKILL.
 *
 * @throws when it cannot be started.
 */
export function startStreaming(
  command: string,
  options: {
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    readonly cwd: string;
    readonly timeout: number;
    readonly signal?: AbortSignal;
  },
): StreamingChild {
  const child = new Deno.Command(command, {
    args: [...options.args],
    env: { ...options.env },
    clearEnv: true,
    cwd: options.cwd,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  let force: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  const stop = () => {
    if (over) return;
    killGroup(child.pid, "SIGTERM");
    force ??= setTimeout(() => killGroup(child.pid, "SIGKILL"), KILL_GRACE);
  };
  const timer = setTimeout(stop, options.timeout);
  options.signal?.addEventListener("abort", stop, { once: true });
  if (options.signal?.aborted) stop();
  const said = tailOf(child.stderr);
  const ended = child.status.then(async ({ code }) => {
    over = true;
    clearTimeout(timer);
    clearTimeout(force);
    options.signal?.removeEventListener("abort", stop);
    // What it started is of no use without it.
    killGroup(child.pid, "SIGKILL");
    const text = await said;
    return code === 0 ? undefined : oneLine(text) || `it ended with ${code}`;
  });
  return { output: child.stdout, input: child.stdin, ended, stop };
}

function killGroup(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(-pid, signal);
  } catch {
    // It ended in between.
  }
}

async function tailOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  let tail = "";
  const decoder = new TextDecoder();
  try {
    for await (const bytes of stream) {
      tail = (tail + decoder.decode(bytes, { stream: true })).slice(-MAX_SAID);
    }
  } catch {
    // The group was ended; what it said until then is kept.
  }
  return tail;
}
