/**
 * `deno task test`: everything, unit tests first, then the end-to-end tests on real clusters, a few
 * suites at once. Builds and installs what is missing. The last line is `N passed, N failed`, with
 * `, N skipped` behind it where the machine cannot run some; the exit code is 1 if any failed.
 *
 * @module
 */
import { printLine } from "../extension/build/task.ts";
import { describeError, exec, systemClock } from "../src/std/mod.ts";
import { claimClusters, removeClusters, STATE_VARIABLE } from "./runner/clusters.ts";
import { MAX_LANES, runInLanes } from "./runner/lanes.ts";
import { e2eSuites, requestOf, testFiles, type TestRequest, unitSuites } from "./runner/plan.ts";
import { e2eObstacle, prepareE2e, prepareUnit } from "./runner/prepare.ts";
import { Report } from "./runner/report.ts";
import { scheduleOf } from "./runner/schedule.ts";
import { runSuite, type Suite } from "./runner/suite.ts";

const ROOT = decodeURIComponent(new URL("..", import.meta.url).pathname).replace(/\/$/, "");
const USAGE = `usage: deno task test [--unit|--e2e] [--filter TEXT] [--lanes N] [FILE|FOLDER…]

  --unit         only the unit tests
  --e2e          only the end-to-end tests; they need root on Linux
  --filter TEXT  only tests whose name contains TEXT
  --lanes N      how many suites run at once, 1 to ${MAX_LANES}

Logs are kept in $HOLDFAST_TEST_LOGS, otherwise in a new temporary folder that is printed.`;

/** How long `deno task check` may take, in milliseconds. */
const CHECK_TIMEOUT = 900_000;
/** How much of its output a report shows, in bytes. */
const MAX_CHECK_OUTPUT = 8_000;

interface Run {
  readonly root: string;
  readonly request: TestRequest;
  readonly report: Report;
  /** The folder of all logs. */
  readonly logs: string;
  readonly signal: AbortSignal;
  /** Makes the machine ready for end-to-end tests. */
  readonly prepare: typeof prepareE2e;
}

/**
 * Runs what the arguments ask for in the repository at `root`.
 *
 * @param prepare makes the machine ready for end-to-end tests. @default {@linkcode prepareE2e}
 * @returns the exit code: 0 all passed, 1 some failed or it was interrupted, 2 wrong arguments.
 */
export async function main(
  args: readonly string[],
  root = ROOT,
  prepare = prepareE2e,
): Promise<number> {
  const request = requestOf(args);
  if (request === undefined) {
    printLine(USAGE);
    return 2;
  }
  const logs = Deno.env.get("HOLDFAST_TEST_LOGS") ??
    await Deno.makeTempDir({ prefix: "holdfast-test-" });
  printLine(`logs: ${logs}`);
  const report = new Report(printLine);
  const run: Run = { root, request, report, logs, signal: interruption(), prepare };
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
  await runAll(run, suites, async (suite) => void await runOne(run, suite));
}

async function runE2e(run: Run, suites: readonly Suite[]): Promise<void> {
  if (suites.length === 0) return;
  const reason = e2eObstacle();
  if (reason !== undefined) {
    return run.report.skip("end-to-end tests", suites.length, reason);
  }
  if (!await attempt(run, "machine of the end-to-end tests", run.prepare)) return;
  const rootOf = await claimClusters();
  await runAll(run, suites, async (suite, lane) => {
    const root = rootOf(lane);
    const failed = await runOne(run, suite, { [STATE_VARIABLE]: root });
    await removeLeft(run, suite, root, failed);
  });
}

/** Removes the clusters that a suite left. Where none of its tests failed they are a failure. */
async function removeLeft(
  { report }: Run,
  suite: Suite,
  root: string,
  failed: boolean,
): Promise<void> {
  const fail = (name: string, messages: readonly string[]) =>
    report.test(suite.name, { name, outcome: "failed", messages }, 0);
  try {
    const left = await removeClusters(root);
    if (left.length > 0 && !failed) fail(`left the cluster ${left.join(", ")} behind`, []);
  } catch (error) {
    fail("left a cluster behind that cannot be removed", [describeError(error)]);
  }
}

/** Runs suites, in lanes where they may be beside others. */
async function runAll(
  { root, request, signal }: Run,
  suites: readonly Suite[],
  run: (suite: Suite, lane: number) => Promise<void>,
): Promise<void> {
  const schedule = scheduleOf(suites, (file) => Deno.readTextFileSync(`${root}/${file}`));
  await runInLanes(schedule, { lanes: request.lanes, signal, run });
}

/** Runs a suite; whether any of its tests failed. */
async function runOne(
  { root, report, logs, request, signal }: Run,
  suite: Suite,
  env: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  let failed = false;
  const folder = `${logs}/${suite.name.replaceAll("/", "-")}`;
  await runSuite(suite, {
    cwd: root,
    logs: folder,
    env,
    signal,
    ...(request.filter === undefined ? {} : { filter: request.filter }),
    onTest: (result, seconds) => {
      failed ||= result.outcome === "failed";
      report.test(suite.name, result, seconds);
    },
  });
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
    await prepare(printLine);
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

/** Aborts at Ctrl-C: the running suites are ended and their clusters are removed. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => controller.abort());
  }
  return controller.signal;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
