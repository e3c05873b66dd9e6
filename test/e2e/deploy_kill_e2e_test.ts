import assert from "node:assert/strict";
import { DEPLOY_FAILPOINTS } from "../../src/deploy/mod.ts";
import { GIT_FAILPOINTS } from "../../src/git/mod.ts";
import { Cluster, obstacle } from "../cluster/mod.ts";
import { eventually, TestAgent } from "./support/agent.ts";
import { Origin } from "./support/git_packages.ts";
import {
  SWEEP_ROOT,
  SWEEP_RUNS,
  sweepPackage,
  type SweepVersion,
} from "./support/sweep_package.ts";
import {
  journalOf,
  leftovers,
  type Line,
  revisions,
  runsOf,
  type SweepState,
  sweepState,
} from "./support/sweep_state.ts";

/*
 * A package with every kind of step is deployed, upgraded, and upgraded to a version that fails, by
 * the compiled agent, which is killed at every failpoint and at random moments and started again each
 * time. What there is in the end, and how often each action has run, is compared with a deployment
 * that nobody disturbed.
 */

/** Where the agent is killed: at a failpoint, or while something is so. */
type Kill = string | Moment;

interface Moment {
  readonly name: string;
  readonly isNow: (scene: Scene, name: string) => Promise<boolean> | boolean;
}

const HELM_RUNS: Moment = {
  name: "Helm waits for a hook",
  isNow: async ({ cluster }, name) =>
    (await cluster.kubectl([
      ...["get", "secrets", "-n", name, "--ignore-not-found", "-o", "name"],
      ...["-l", "name=tool,status in (pending-install,pending-upgrade)"],
    ])) !== "",
};

const ACTION_RUNS = (version: SweepVersion): Moment => ({
  name: "an action runs",
  isNow: ({ agent }, name) => {
    try {
      return runsOf(agent, name, version).at(-1) === "begin slow";
    } catch {
      return false;
    }
  },
});

/** The names in the order in which a deployment passes them: each process goes a step further. */
const KILLS: Readonly<Record<SweepVersion, readonly Kill[]>> = {
  1: [
    "deploy.images.pushed",
    "deploy.outcomes.written",
    "deploy.outcomes.renamed",
    "deploy.record.begin",
    "deploy.record.written",
    "deploy.component.begin",
    "deploy.action.begin",
    "deploy.action.ran",
    "deploy.outcomes.written",
    "deploy.outcomes.synced",
    "deploy.action.done",
    ACTION_RUNS(1),
    "deploy.component.recorded",
    "deploy.component.done",
    "deploy.files.begin",
    "deploy.file.written",
    "deploy.file.placed",
    "deploy.file.written:2",
    "deploy.repository.begin",
    ...GIT_FAILPOINTS,
    "deploy.repositories.published",
    HELM_RUNS,
    "deploy.chart.begin",
    "deploy.namespaces.ready",
    "deploy.chart.applied",
    "deploy.chart.ready",
    "deploy.chart.recorded",
    "deploy.chart.applied",
    "deploy.health.ready",
    "deploy.component.recorded",
  ],
  2: [
    ACTION_RUNS(2),
    "deploy.files.begin",
    HELM_RUNS,
    "deploy.chart.applied",
    "deploy.chart.ready",
    "deploy.chart.applied",
    "deploy.chart.recorded",
    "deploy.component.done",
  ],
  3: [
    "deploy.chart.applied",
    "deploy.chart.begin",
    "deploy.chart.applied",
    "deploy.rollback.begin",
    "deploy.rollback.applied",
    "deploy.rollback.done",
    "deploy.failure.begin",
    "deploy.action.begin",
    "deploy.failure.recorded",
    "deploy.failure.done",
  ],
};

const VERSIONS = [1, 2, 3] as const;
/** How often each version is killed at a random moment. */
const RANDOM_KILLS = 5;
/** Milliseconds after a start at which it is killed. */
const EARLIEST = 400;
const LATEST = 3_000;

class Scene {
  #kills = 0;

  constructor(
    readonly cluster: Cluster,
    readonly agent: TestAgent,
    readonly directory: string,
  ) {}

  async start(failpoint?: string): Promise<void> {
    await this.agent.start({
      flags: [`--files-root=${SWEEP_ROOT}`],
      ...(failpoint === undefined ? {} : { env: { HOLDFAST_FAILPOINT: failpoint } }),
    });
  }

  /** Drops a version while nobody runs, and has it deployed by agents that are killed one by one. */
  async deploy(plan: Plan, version: SweepVersion, kills: readonly Kill[]): Promise<number> {
    const { name } = plan;
    const file = await this.#make(plan, version);
    await this.agent.stop();
    const dropped = await this.agent.drop(file);
    this.#kills = 0;
    for (const kill of kills) await this.#kill(kill, name);
    await this.start();
    await this.settle(dropped, version);
    return this.#kills;
  }

  #make({ name, origin }: Plan, version: SweepVersion): Promise<string> {
    return sweepPackage(this.directory, name, version, origin.url);
  }

  async #kill(kill: Kill, name: string): Promise<void> {
    await this.start(typeof kill === "string" ? kill : undefined);
    const { status } = this.agent.process;
    if (typeof kill !== "string") {
      await eventually(kill.name, async () => await kill.isNow(this, name) || undefined, 120_000);
      await this.agent.process.kill("SIGKILL");
    }
    const what = typeof kill === "string" ? kill : kill.name;
    const timeout = AbortSignal.timeout(120_000);
    const late = new Promise<undefined>((resolve) =>
      timeout.addEventListener("abort", () => resolve(undefined))
    );
    const ended = await Promise.race([status, late]);
    assert.equal(ended?.signal, 9, `${what} was not passed\n${await this.agent.logTail(20)}`);
    this.#kills++;
  }

  /** Drops a version and kills whoever deploys it at random moments. */
  async deployAtRandom(plan: Plan, version: SweepVersion): Promise<number> {
    const dropped = await this.agent.drop(await this.#make(plan, version));
    for (let kill = 0; kill < RANDOM_KILLS; kill++) {
      const pause = EARLIEST + Math.random() * (LATEST - EARLIEST);
      await new Promise((resolve) => setTimeout(resolve, pause));
      await this.agent.stop("SIGKILL");
      await this.start();
    }
    await this.settle(dropped, version);
    return RANDOM_KILLS;
  }

  async settle(dropped: string, version: SweepVersion): Promise<void> {
    const { phase, message, components } = await this.agent.settled(dropped, { timeout: 180_000 });
    assert.equal(phase, version === 3 ? "RolledBack" : "Ready", message);
    if (version === 3) assert.match(message, /component "charts": Pod fails/);
    assert.ok(components.length >= 4);
  }
}

/** A package's name and its git repository. */
interface Plan {
  readonly name: string;
  readonly origin: Origin;
}

/** What a whole round has come to. */
interface Round {
  readonly states: readonly SweepState[];
  readonly revisions: ReadonlyMap<string, { readonly count: number }>;
  readonly kills: number;
}

/** All three versions, one after the other. */
async function round(
  scene: Scene,
  name: string,
  deploy: (plan: Plan, version: SweepVersion) => Promise<number>,
): Promise<Round> {
  const directory = `${scene.directory}/${name}`;
  await Deno.mkdir(directory);
  const plan = { name, origin: await Origin.make(directory) };
  const states: SweepState[] = [];
  let kills = 0;
  await Deno.mkdir(scene.agent.hostPath(`${SWEEP_ROOT}/${name}`), { recursive: true });
  for (const version of VERSIONS) {
    kills += await deploy(plan, version);
    states.push(await sweepState(scene.cluster, scene.agent, name, plan.origin.name));
    assert.deepEqual(await leftovers(scene.agent, name), []);
  }
  for (const [at, lines] of journalOf(scene.agent, name).entries()) {
    checkJournal(lines, at === 2);
    checkRuns(runsOf(scene.agent, name, at + 1), lines, VERSIONS[at] ?? 1);
  }
  return { states, revisions: await revisions(scene.cluster, name), kills };
}

/** What is done is not begun again, unless its component has failed meanwhile; all is closed. */
function checkJournal(lines: readonly Line[], fails: boolean): void {
  const done = new Set<string>();
  for (const line of lines) {
    const [state = "", step = ""] = line.split(" ");
    if (line === "started deployment") done.clear();
    if (state === "done") done.add(step);
    if (state === "started") {
      // What has failed is begun again as a whole, and may fail again.
      if (/^component\/[^/]+$/.test(step)) done.delete(step.replace("component/", "failure/"));
      assert.ok(!done.has(step) || step === "images", `${step} is done twice\n${lines.join("\n")}`);
    }
    if (state === "failed") {
      for (const one of done) if (one.startsWith(`${step}/`)) done.delete(one);
    }
  }
  assert.equal(lines.at(-1), fails ? "done failure/charts" : "done deployment");
}

/** An action has run as often as the journal says that it began, or died before it could say so. */
function checkRuns(runs: readonly string[], lines: readonly Line[], version: SweepVersion): void {
  const begun = lines.filter((line) =>
    /^started component\/.*\/(before|after|on\w+)\/\d+$/.test(line)
  );
  const waits = 3;
  const ended = runs.filter((run) => run.startsWith("end "));
  for (const what of SWEEP_RUNS[version]) {
    const times = ended.filter((run) => run === `end ${what}`).length;
    assert.ok(times >= 1, `${what} has not run\n${runs.join("\n")}`);
  }
  assert.deepEqual(
    [...new Set(ended)].sort(),
    SWEEP_RUNS[version].map((run) => `end ${run}`).sort(),
  );
  const begins = runs.filter((run) => run.startsWith("begin ")).length;
  const least = version === 3 ? 2 : waits;
  assert.ok(begins <= begun.length - least, `${begins} of ${begun.length}\n${lines.join("\n")}`);
}

function compare(found: Round, undisturbed: Round): void {
  assert.deepEqual(found.states, undisturbed.states);
  let more = 0;
  for (const [release, { count }] of undisturbed.revisions) {
    const now = found.revisions.get(release)?.count ?? 0;
    assert.ok(now >= count, `${release}: ${now} of ${count} revisions`);
    more += now - count;
  }
  // A failing upgrade that is begun again is two: the upgrade, and going back.
  assert.ok(more <= 2 * found.kills, `${more} revisions more after ${found.kills} kills`);
}

Deno.test("the sweep is over all failpoints of deployments and of git repositories", () => {
  const named = new Set(Object.values(KILLS).flat().map((kill) => String(kill).replace(/:.*/, "")));
  assert.deepEqual(
    [...DEPLOY_FAILPOINTS, ...GIT_FAILPOINTS].filter((name) => !named.has(name)),
    [],
  );
});

Deno.test({
  name: "killed at any moment of any deployment, an agent ends as if nothing had been",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-e2e-" });
    try {
      await using cluster = await Cluster.up({ name: "sweep" });
      const [node] = cluster.nodes;
      assert.ok(node);
      const scene = new Scene(cluster, new TestAgent(node), directory);
      await Deno.mkdir(node.hostPath(SWEEP_ROOT), { recursive: true });
      await scene.start();
      await sweep(t, scene);
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function sweep(t: Deno.TestContext, scene: Scene): Promise<void> {
  let undisturbed: Round | undefined;
  await t.step("nobody disturbs", async () => {
    undisturbed = await round(scene, "calm", (plan, version) => scene.deploy(plan, version, []));
    assert.equal(undisturbed.kills, 0);
  });
  const expected = undisturbed ?? assert.fail("there is nothing to compare with");
  await t.step("killed at each failpoint", async () => {
    const swept = (plan: Plan, version: SweepVersion) =>
      scene.deploy(plan, version, KILLS[version]);
    compare(await round(scene, "swept", swept), expected);
  });
  await t.step("killed at random moments", async () => {
    const shaken = (plan: Plan, version: SweepVersion) => scene.deployAtRandom(plan, version);
    compare(await round(scene, "shaken", shaken), expected);
  });
}
