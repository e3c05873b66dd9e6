import { exec, systemClock } from "../../src/std/mod.ts";
import { TapReader, type TestResult } from "./tap.ts";

/** Test files that run in one process. */
export interface Suite {
  /** What the report calls it. */
  readonly name: string;
  readonly files: readonly string[];
  /** Milliseconds until it is ended and counted as failed. */
  readonly timeout: number;
}

/** How a suite is run. */
export interface SuiteOptions {
  readonly cwd: string;
  /** A folder of its own; its tests find it in `HOLDFAST_TEST_LOGS`. */
  readonly logs: string;
  /** Only tests whose name contains it. */
  readonly filter?: string;
  /** Beside the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Called for each test when it ends; `seconds` since the one before it ended. */
  readonly onTest: (result: TestResult, seconds: number) => void;
}

/** How long a suite may take over SIGTERM before SIGKILL, in milliseconds. */
const KILL_GRACE = 15_000;
/** How much of the process's last words a report shows, in characters. */
const MAX_LAST_WORDS = 4_000;
/** How long the loading of a suite's files may take, in milliseconds. */
const LOAD_TIMEOUT = 60_000;

/**
 * Runs a suite with `deno test`. Whatever ends the process before all of its tests are reported (a
 * crash, a kill, the time limit, a file that does not load) counts as one failed test more.
 */
export async function runSuite(suite: Suite, options: SuiteOptions): Promise<void> {
  await Deno.mkdir(options.logs, { recursive: true });
  const child = start(suite, options);
  let timedOut = false;
  const limit = setTimeout(() => {
    timedOut = true;
    stop(child);
  }, suite.timeout);
  const abort = () => stop(child);
  options.signal?.addEventListener("abort", abort, { once: true });
  if (options.signal?.aborted) abort();
  try {
    const [seen, words, status] = await Promise.all([
      report(child.stdout, options),
      keep(child.stderr, `${options.logs}/stderr.log`),
      child.status,
    ]);
    const ending = endingOf(suite, status, timedOut);
    if (status.code !== 0 && !seen.failed || !seen.complete) {
      const messages = [words, ...await explainLoading(suite, status, options)];
      options.onTest({ name: ending, outcome: "failed", messages }, seen.idle());
    }
  } finally {
    clearTimeout(limit);
    options.signal?.removeEventListener("abort", abort);
  }
}

/**
 * What `deno test` says about files that do not load; its TAP output leaves that out. No test runs:
 * none has the name that is asked for.
 */
async function explainLoading(
  suite: Suite,
  status: Deno.CommandStatus,
  options: SuiteOptions,
): Promise<string[]> {
  if (status.code !== 1 || options.signal?.aborted) return [];
  const { stdout } = await exec(Deno.execPath(), {
    args: [...TEST_ARGS, `--filter=${crypto.randomUUID()}`, ...suite.files],
    cwd: options.cwd,
    env: childEnv(options),
    timeout: LOAD_TIMEOUT,
    maxOutput: MAX_LAST_WORDS,
  });
  return [stdout.trim()];
}

const TEST_ARGS = ["test", "--quiet", "--allow-all", "--no-check", "--no-prompt"] as const;

function childEnv(options: SuiteOptions): Record<string, string> {
  const own = { HOLDFAST_TEST_LOGS: options.logs, NO_COLOR: "1" };
  return { ...Deno.env.toObject(), ...options.env, ...own };
}

function start(suite: Suite, options: SuiteOptions): Deno.ChildProcess {
  const filter = options.filter === undefined ? [] : ["--filter", options.filter];
  return new Deno.Command(Deno.execPath(), {
    args: [...TEST_ARGS, "--reporter=tap", ...filter, ...suite.files],
    cwd: options.cwd,
    env: childEnv(options),
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

function stop(child: Deno.ChildProcess): void {
  killQuietly(child, "SIGTERM");
  const force = setTimeout(() => killQuietly(child, "SIGKILL"), KILL_GRACE);
  child.status.then(() => clearTimeout(force));
}

function killQuietly(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended already.
  }
}

interface Seen {
  readonly failed: boolean;
  readonly complete: boolean;
  /** Seconds since the last test ended. */
  idle(): number;
}

async function report(
  output: ReadableStream<Uint8Array<ArrayBuffer>>,
  { onTest, logs }: SuiteOptions,
): Promise<Seen> {
  const tap = new TapReader();
  let failed = false;
  let last = systemClock.monotonic();
  const idle = () => (systemClock.monotonic() - last) / 1_000;
  using log = await Deno.create(`${logs}/tap.log`);
  for await (const line of linesOf(output)) {
    log.writeSync(new TextEncoder().encode(`${line}\n`));
    const result = tap.line(line);
    if (result === undefined) continue;
    failed ||= result.outcome === "failed";
    onTest(result, idle());
    last = systemClock.monotonic();
  }
  return { failed, complete: tap.complete, idle };
}

async function* linesOf(output: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of output.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
  if (rest !== "") yield rest;
}

/** Writes a stream to a file and gives back its end. */
async function keep(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  file: string,
): Promise<string> {
  using log = await Deno.create(file);
  let words = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    log.writeSync(new TextEncoder().encode(text));
    words = (words + text).slice(-MAX_LAST_WORDS);
  }
  return words.replace(/\n*Stack backtrace:\n( +\d+: .*\n?| +at .*\n?)+/g, "").trim();
}

function endingOf(suite: Suite, status: Deno.CommandStatus, timedOut: boolean): string {
  if (timedOut) return `ended after its time limit of ${Math.round(suite.timeout / 60_000)} min`;
  if (status.signal !== null) return `the test process was killed by ${status.signal}`;
  if (status.code !== 0) return `the test process ended with ${status.code}`;
  return "the test process ended before all of its tests";
}
