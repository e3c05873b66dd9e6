import { AssertionError } from "node:assert";
import { type Digest, digestOf, systemClock } from "../../src/std/mod.ts";
import { ROOT } from "../e2e/support/agent.ts";
import { AgentSubject } from "./agent_subject.ts";
import { checkStore } from "./check_store.ts";
import { ForgettingDisk } from "./disk.ts";
import { type Finding, findings } from "./findings.ts";
import { LinkSubject } from "./link_subject.ts";
import type { GoodPackage, Pool } from "./packages.ts";
import type { CyclePlan, Moment, Round } from "./plan.ts";
import type { Subject, Told } from "./subject.ts";

/** What all cycles have in common. */
export interface World {
  readonly pool: Pool;
  /** The disk says that it has flushed and has not. @default false */
  readonly lies?: boolean;
  /** The agent. @default the compiled one of this checkout */
  readonly program?: string;
  readonly signal?: AbortSignal;
}

/** One cut. */
export interface CutReport {
  readonly moment: Moment;
  /** What the program was doing: it had not begun with any package, was at it, or had no more. */
  readonly during: "start" | "ingest" | "idle";
  /** Packages of which somebody had been told by then that they are accepted; each was looked for. */
  readonly acknowledged: number;
}

/** What came of a cycle. */
export interface CycleReport {
  readonly plan: CyclePlan;
  readonly cuts: readonly CutReport[];
  readonly findings: readonly Finding[];
  readonly seconds: number;
}

/** How long a moment to cut may be waited for, in milliseconds. */
const MOMENT_TIMEOUT = 30_000;
/** How often what the program tells is looked at, in milliseconds. */
const LOOK_INTERVAL = 10;

/**
 * Runs one plan on a disk of its own. What is wrong with the program is a finding; what is wrong with
 * the disk or this machine is thrown.
 */
export async function runCycle(plan: CyclePlan, world: World): Promise<CycleReport> {
  const started = systemClock.monotonic();
  const { fileSystem } = plan;
  await using disk = await ForgettingDisk.create({ fileSystem, lies: world.lies ?? false });
  await using subject = subjectOf(plan, world, disk);
  const cycle = new Cycle(plan, world, disk, subject);
  for (const round of plan.rounds) {
    world.signal?.throwIfAborted();
    await cycle.run(round);
  }
  const seconds = (systemClock.monotonic() - started) / 1_000;
  return { plan, cuts: cycle.cuts, findings: cycle.findings, seconds };
}

type DroppingSubject = Subject & { readonly dropDir: string };

function subjectOf(plan: CyclePlan, world: World, disk: ForgettingDisk): DroppingSubject {
  const { pool, program, signal } = world;
  const common = {
    dataDir: `${disk.path}/data`,
    ...(plan.dropsOnDisk ? { dropDir: `${disk.path}/drop` } : {}),
    ...(signal === undefined ? {} : { signal }),
  };
  if (plan.dropsOnDisk) Deno.mkdirSync(`${disk.path}/drop`);
  if (plan.subject === "registry") {
    return new LinkSubject({ ...common, packages: byFile(pool) });
  }
  return new AgentSubject({
    ...common,
    ...(plan.seed ? { seedDir: `${ROOT}/dist/seed` } : {}),
    ...(program === undefined ? {} : { program }),
  });
}

function byFile(pool: Pool): ReadonlyMap<string, GoodPackage> {
  return new Map(pool.good.map((one) => [one.file, one]));
}

class Cycle {
  readonly cuts: CutReport[] = [];
  readonly findings: Finding[] = [];
  readonly #plan: CyclePlan;
  readonly #dataDir: string;
  readonly #pool: Pool;
  readonly #disk: ForgettingDisk;
  readonly #subject: DroppingSubject;
  readonly #dropped: string[] = [];
  readonly #acknowledged = new Set<Digest>();
  readonly #signal: AbortSignal | undefined;
  #told: ReadonlyMap<string, Told> = new Map();

  constructor(plan: CyclePlan, world: World, disk: ForgettingDisk, subject: DroppingSubject) {
    this.#plan = plan;
    this.#dataDir = `${disk.path}/data`;
    this.#pool = world.pool;
    this.#signal = world.signal;
    this.#disk = disk;
    this.#subject = subject;
  }

  async run(round: Round): Promise<void> {
    for (const file of round.drops) this.#dropped.push(file);
    await this.#drop();
    await this.#look();
    const pending = this.#dropped.filter((file) => this.#told.get(file)?.phase !== "done").sort();
    this.#subject.start();
    if (round.cut === undefined) await this.#toTheEnd();
    else await this.#toTheCut(round.cut, pending);
  }

  async #toTheCut(moment: Moment, pending: readonly string[]): Promise<void> {
    if (!await this.#until(moment, pending)) {
      this.#note("running", findings("Stuck", [`${moment.after} was never reached`]));
    }
    // The disk first: nothing that is written after this survives.
    this.#disk.cut();
    await this.#subject.kill();
    if (!this.#plan.dropsOnDisk) await this.#look();
    await this.#disk.powerUp();
    this.cuts.push({
      moment,
      during: this.#during(pending),
      acknowledged: this.#acknowledged.size,
    });
    await this.#checkStopped(`after cut ${this.cuts.length}`);
  }

  async #toTheEnd(): Promise<void> {
    try {
      const { accepted, superseded, rejected } = await this.#subject.settle(this.#dropped);
      const good = this.#pool.good.filter(({ file }) => this.#dropped.includes(file));
      const wrong = this.#dropped.filter((file) =>
        rejected.has(file) === good.some((one) => one.file === file)
      );
      this.#note("running", findings("WrongVerdict", wrong));
      const served = good.filter(({ file }) => accepted.has(file) && !superseded.has(file));
      this.#note("running", await this.#subject.checkRunning(served));
      await this.#look();
      await this.#subject.stop();
    } catch (error) {
      if (!(error instanceof AssertionError)) throw error;
      this.#note("running", findings("Stuck", [error.message]));
      await this.#subject.kill();
    }
    await this.#checkStopped("stopped");
  }

  async #checkStopped(when: string): Promise<void> {
    const known = new Map(this.#pool.good.map((one) => [one.digest, one]));
    const expected = { acknowledged: this.#acknowledged, known };
    this.#note(when, checkStore(this.#dataDir, expected));
    this.#note(when, await this.#subject.checkStopped());
  }

  /** Notes what the program has told; what of it is a promise is kept in mind. */
  async #look(): Promise<void> {
    this.#told = await this.#subject.told();
    for (const { digest } of this.#told.values()) {
      if (digest !== undefined) this.#acknowledged.add(digest);
    }
  }

  /** Waits for the moment; false when it never comes. */
  async #until({ after, share, delay }: Moment, pending: readonly string[]): Promise<boolean> {
    const target = pending[Math.min(Math.floor(share * pending.length), pending.length - 1)];
    const phase = (file: string) => this.#told.get(file)?.phase ?? "waiting";
    const reached = {
      start: () => true,
      reading: () => target === undefined || phase(target) !== "waiting",
      done: () => target === undefined || phase(target) === "done",
      idle: () => this.#dropped.every((file) => phase(file) === "done"),
    }[after];
    if (!await this.#lookUntil(reached, MOMENT_TIMEOUT)) return false;
    await this.#lookUntil(() => false, delay);
    return true;
  }

  async #lookUntil(reached: () => boolean, timeout: number): Promise<boolean> {
    const deadline = systemClock.monotonic() + timeout;
    for (;;) {
      this.#signal?.throwIfAborted();
      await this.#look();
      if (reached()) return true;
      const left = deadline - systemClock.monotonic();
      if (left <= 0) return false;
      await systemClock.sleep(Math.min(left, LOOK_INTERVAL));
    }
  }

  /** What goes on, of the files that were not done with when the program was started. */
  #during(pending: readonly string[]): CutReport["during"] {
    const phases = pending.map((file) => this.#told.get(file)?.phase);
    if (phases.includes("busy")) return "ingest";
    const left = pending.filter((_, at) => phases[at] !== "done");
    const good = left.some((file) => this.#pool.good.some((one) => one.file === file));
    if (!good) return "idle";
    // Between two packages: a record or a verdict is written.
    return left.length < pending.length ? "ingest" : "start";
  }

  /** Puts every file there that is not, or is not what it was, as after a cut. */
  async #drop(): Promise<void> {
    const { dropDir } = this.#subject;
    await Deno.mkdir(dropDir, { recursive: true });
    const sources = new Map(
      [...this.#pool.good, ...this.#pool.bad].map((one) => [one.file, one.path]),
    );
    for (const file of this.#dropped) {
      const bytes = await Deno.readFile(sources.get(file) ?? "");
      if (await holds(`${dropDir}/${file}`, digestOf(bytes))) continue;
      await Deno.writeFile(`${dropDir}/.${file}`, bytes);
      await Deno.rename(`${dropDir}/.${file}`, `${dropDir}/${file}`);
    }
  }

  #note(when: string, found: readonly Finding[]): void {
    this.findings.push(...found.map(({ rule, what }) => ({ rule, what: `${when}: ${what}` })));
  }
}

async function holds(path: string, digest: Digest): Promise<boolean> {
  try {
    return digestOf(await Deno.readFile(path)) === digest;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
