import { isDeepStrictEqual } from "node:util";
import { type ConnectStrings, type InstalledChart, mergeInstalledCharts } from "../zarf/mod.ts";
import { deployFailpoint } from "./failpoints.ts";
import type { DeployJournal } from "./journal.ts";
import type { DeploymentRecord } from "./record.ts";

/** The step of the journal that the first change of the record is. */
export const RECORD_STEP = "record";

type Status = "Deploying" | "Succeeded" | "Failed";

/** How a component stands that was not written yet. */
interface Held {
  readonly status: Status;
  readonly charts: readonly InstalledChart[];
}

/**
 * A package's record that is held back where the record says already what this deployment comes to:
 * the same package, all of whose components succeeded. It is written as soon as the deployment is
 * about to change something, and from then on at each step; where nothing changes it is not written
 * at all, and the generation stays.
 */
export class HeldRecord {
  readonly #record: DeploymentRecord;
  readonly #journal: DeployJournal;
  /** What was not written yet, by component. */
  #held: Map<string, Held> | undefined;

  constructor(record: DeploymentRecord, journal: DeployJournal) {
    this.#record = record;
    this.#journal = journal;
    this.#held = record.isSettled && !journal.isHalfDone(RECORD_STEP) &&
        !journal.isDone(RECORD_STEP)
      ? new Map()
      : undefined;
  }

  /** What the record says when the deployment has ended. */
  get latest(): number {
    return this.#held === undefined ? this.#record.latest : this.#record.generation - 1;
  }

  /** See {@linkcode DeploymentRecord.connectStrings}. */
  connectStrings(name: string): ConnectStrings {
    return this.#record.connectStrings(name);
  }

  /** See {@linkcode DeploymentRecord.component}. */
  async component(
    name: string,
    status: Status,
    charts: readonly InstalledChart[],
  ): Promise<void> {
    if (this.#held !== undefined && status !== "Failed") {
      this.#held.set(name, { status, charts: [...charts] });
      return;
    }
    await this.release();
    await this.#write(() => this.#record.component(name, status, charts));
  }

  /** Something is about to change: the record is written from here on. */
  async release(): Promise<void> {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    for (const [name, { status, charts }] of held) {
      await this.#write(() => this.#record.component(name, status, charts));
    }
  }

  /** A component is done from before an interruption. */
  wasDone(name: string): void {
    this.#held?.set(name, { status: "Succeeded", charts: [] });
  }

  /** See {@linkcode DeploymentRecord.finish}. */
  async finish(names: readonly string[]): Promise<void> {
    if (this.#held !== undefined && this.#isSame(names, this.#held)) return;
    await this.release();
    await this.#record.finish(names);
  }

  #isSame(names: readonly string[], held: ReadonlyMap<string, Held>): boolean {
    const recorded = this.#record.components.map(({ name, installedCharts }) =>
      [name, installedCharts ?? []] as const
    );
    const charts = new Map(recorded);
    return recorded.every(([name, installed]) => names.includes(name) || installed.length > 0) &&
      [...held].every(([name, now]) => {
        const before = charts.get(name);
        return before !== undefined &&
          isDeepStrictEqual(mergeInstalledCharts(before, now.charts), before);
      });
  }

  /** The first change is journalled, so that an interrupted deployment knows its generation. */
  async #write(action: () => Promise<void>): Promise<void> {
    const isFirst = !this.#journal.isDone(RECORD_STEP);
    if (isFirst) await this.#journal.begin(RECORD_STEP);
    deployFailpoint("deploy.record.begin");
    await action();
    deployFailpoint("deploy.record.written");
    if (isFirst) await this.#journal.done(RECORD_STEP);
  }
}
