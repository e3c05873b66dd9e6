/**
 * `deno task test`: everything, unit tests first, then the end-to-end tests one file after the other
 * on real clusters. Builds and installs what is missing. The last line is `N passed, N failed`, with
 * `, N skipped` behind it where the machine cannot run some; the exit code is 1 if any failed.
 *
 * @module
 */
import { describeError, exec, systemClock } from "../src/std/mod.ts";
import { claimClusters, removeClusters } from "./runner/clusters.ts";
import { e2eSuites, requestOf, testFiles, type TestRequest, unitSuites } from "./runner/plan.ts";
import { e2eObstacle, prepareE2e, prepareUnit } from "./runner/prepare.ts";
import { Report } from "./runner/report.ts";
import { runSuite, type Suite } from "./runner/suite.ts";

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");
const USAGE = `usage: deno task test [--unit|--e2e] [--filter TEXT] [FILE|FOLDER…]

  --unit         only the unit tests
  --e2e          only the end-to-end tests; they need root on Linux
  --filter TEXT  only tests whose name contains TEXT

Logs are kept in $HOLDFAST_TEST_LOGS, otherwise in a new temporary folder that is printed.`;

/** How long `deno task check` may take, in milliseconds. */
const CHECK_TIMEOUT = 300_000;
/** How much of its output a report shows, in bytes. */
const MAX_CHECK_OUTPUT = 8_000;

interface Run {
  readonly root: string;
  readonly request: TestRequest;
  readonly report: Report;
  /** The folder of all logs. */
  readonly logs: string;
  readonly signal: AbortSignal;
}

/**
 * Runs what the arguments ask for in the repository at `root`.
 *
 * @returns the exit code: 0 all passed, 1 some failed or it was interrupted, 2 wrong arguments.
 */
export async function main(args: readonly string[], root = ROOT): Promise<number> {
  const request = requestOf(args);
  if (request === undefined) {
    say(USAGE);
    return 2;
  }
  const logs = Deno.env.get("HOLDFAST_TEST_LOGS") ??
    await Deno.makeTempDir({ prefix: "holdfast-test-" });
  say(`logs: ${logs}`);
  const run: Run = { root, request, report: new Report(say), logs, signal: interruption() };
  const files = await testFiles(root, request.paths);
  if (request.unit) await runUnit(run, unitSuites(files));
  if (request.e2e && !run.signal.aborted) await runE2e(run, e2eSuites(files));
  run.report.close();
  return run.report.counts.failed > 0 || run.signal.aborted ? 1 : 0;
}

async function runUnit(run: Run, suites: readonly Suite[]): Promise<void> {
  if (suites.length === 0) return;
  if (run.request.paths.length === 0) {
    await attempt(run, "format, lint, types, import table", () => check(run.root));
    await attempt(run, "tools of the unit tests", prepareUnit);
  }
  for (const suite of suites) {
    if (run.signal.aborted) return;
    await runOne(run, suite);
  }
}

async function runE2e(run: Run, suites: readonly Suite[]): Promise<void> {
  if (suites.length === 0) return;
  const reason = e2eObstacle();
  if (reason !== undefined) {
    return run.report.skip("end-to-end tests", suites.length, reason);
  }
  if (!await attempt(run, "machine of the end-to-end tests", prepareE2e)) return;
  await claimClusters();
  for (const suite of suites) {
    if (run.signal.aborted) return;
    const failed = await runOne(run, suite);
    const left = await removeClusters();
    if (left.length === 0 || failed) continue;
    const name = `left the cluster ${left.join(", ")} behind`;
    run.report.test(suite.name, { name, outcome: "failed", messages: [] }, 0);
  }
}

/** Runs a suite; whether any of its tests failed. */
async function runOne(
  { root, report, logs, request, signal }: Run,
  suite: Suite,
): Promise<boolean> {
  const before = report.counts.failed;
  const folder = `${logs}/${suite.name.replaceAll("/", "-")}`;
  await runSuite(suite, {
    cwd: root,
    logs: folder,
    signal,
    ...(request.filter === undefined ? {} : { filter: request.filter }),
    onTest: (result, seconds) => report.test(suite.name, result, seconds),
  });
  const failed = report.counts.failed > before;
  if (failed) report.logs(folder);
  return failed;
}

/** Prepares the machine; a failure counts as a failed test, so that it cannot be overlooked. */
async function attempt(
  { report }: Run,
  what: string,
  prepare: (say: (line: string) => void) => Promise<void>,
): Promise<boolean> {
  const started = systemClock.monotonic();
  const seconds = () => (systemClock.monotonic() - started) / 1_000;
  try {
    await prepare(say);
    report.test("prepare", { name: what, outcome: "passed", messages: [] }, seconds());
    return true;
  } catch (error) {
    const messages = [describeError(error)];
    report.test("prepare", { name: what, outcome: "failed", messages }, seconds());
    return false;
  }
}

async function check(root: string): Promise<void> {
  const { code, stdout, stderr } = await exec(Deno.execPath(), {
    args: ["task", "--quiet", "check"],
    env: { ...Deno.env.toObject(), NO_COLOR: "1" },
    cwd: root,
    timeout: CHECK_TIMEOUT,
    maxOutput: MAX_CHECK_OUTPUT,
  });
  if (code !== 0) throw new Error(`deno task check failed:\n${stderr}${stdout}`);
}

/** Aborts at Ctrl-C: the running suite is ended and its clusters are removed. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => controller.abort());
  }
  return controller.signal;
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
