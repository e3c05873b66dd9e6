import { type Clock, createLogger, digestOf, systemClock } from "../std/mod.ts";
import { type StoreFs, systemStoreFs } from "./fs.ts";
import type { StagingOptions } from "./staging.ts";
import { Store } from "./store.ts";
import { chunks } from "./testing.ts";
import { Acknowledged, ALL_BLOBS, LOOSE, PACKAGES, stateOf } from "./testing_acknowledged.ts";
import type { Lie } from "./testing_disk.ts";
import { Dice, Machine } from "./testing_machine.ts";
import { importPackage, stagePackage, type TestPackage } from "./testing_packages.ts";

/** The most that is done between two starts. */
const MAX_STEPS = 6;
const MAX_LIVES = 4;
/** A start that is cut short is so within so many calls. */
const MAX_START_CALLS = 20;
/** Nobody is in the middle of anything: an hour goes by between two looks. */
const HASTY_CLOCK: Clock = { ...systemClock, monotonic: hours() };

/** How a trial is made. */
export interface TrialOptions {
  /** A directory of its own. */
  readonly root: string;
  /** Numbers in [0, 1), which decide everything. */
  readonly random: () => number;
  /** What the disk only pretends to flush. */
  readonly lies?: readonly Lie[];
  /** Whether the store is never closed in order, nor the process killed. */
  readonly onlyPowerCuts?: boolean;
}

/** What came of a trial. */
export interface TrialResult {
  /** What was lost or wrong, each in a sentence. */
  readonly losses: readonly string[];
  readonly powerCuts: number;
}

/**
 * A store that lives through several power cuts and kills at chance places, each with chance luck, and
 * is looked at after each: what it had acknowledged has to be there, and nothing that is not whole.
 */
export async function trial(options: TrialOptions): Promise<TrialResult> {
  const running = new Trial(options);
  try {
    await running.run();
  } finally {
    running.letGo();
  }
  return { losses: running.losses, powerCuts: running.powerCuts };
}

class Trial {
  readonly losses: string[] = [];
  readonly #options: TrialOptions;
  readonly #dice: Dice;
  readonly #machine: Machine;
  readonly #acknowledged = new Acknowledged();
  #store: Store | undefined;
  #last: TestPackage | undefined;

  constructor(options: TrialOptions) {
    const { root, random, lies = [], onlyPowerCuts = false } = options;
    this.#options = options;
    this.#dice = new Dice(random);
    this.#machine = new Machine({ root, dice: this.#dice, lies, onlyPowerCuts });
  }

  get powerCuts(): number {
    return this.#machine.powerCuts;
  }

  async run(): Promise<void> {
    const dice = this.#dice;
    const machine = this.#machine;
    for (let lives = 1 + dice.below(MAX_LIVES); lives > 0; lives--) {
      machine.arm();
      for (let left = dice.below(MAX_STEPS + 1); left > 0; left--) await this.#step();
      machine.restart(() => this.letGo());
      // The start after it may be cut short itself.
      while (dice.chance(0.3)) {
        machine.arm(MAX_START_CALLS);
        await machine.attempt(() => this.#open());
        if (!machine.isDown) break;
        machine.restart(() => this.letGo());
      }
      machine.disarm();
      this.losses.push(...this.#acknowledged.losses(this.#opened()));
      if (this.losses.length > 0) return;
    }
    await this.#finish();
  }

  /** Gives back what a process that is gone held. */
  letGo(): void {
    try {
      this.#store?.close();
    } catch {
      // Its disk is gone.
    }
    this.#store = undefined;
  }

  #opened(): Store {
    return this.#store ?? this.#open();
  }

  #open(): Store {
    const write = (line: string) => {
      // Without its time.
      this.losses.push(`at the start: ${line.slice(line.indexOf(" ") + 1).trimEnd()}`);
    };
    const logger = createLogger({ level: "error", format: "text", write });
    const { dir, fs } = this.#machine;
    this.#store = Store.open(dir, { fs, logger, clock: HASTY_CLOCK });
    return this.#store;
  }

  async #step(): Promise<void> {
    if (this.#machine.isDown) return;
    await this.#machine.attempt(() => {
      const store = this.#opened();
      // As an agent does that finds the same file again.
      const again = this.#dice.chance(0.4) ? this.#last : undefined;
      const added = again ?? this.#dice.pick(PACKAGES);
      this.#last = added;
      const dice = this.#dice.below(18);
      if (dice < 6) return this.#import(store, added);
      if (dice < 7) return this.#refuse(store, added);
      if (dice < 8) return this.#stageOnly(store, added);
      if (dice < 11) return this.#writeBlob(store);
      if (dice < 12) return this.#writeBadBlob(store);
      if (dice < 13) return this.#quarantine(store);
      if (dice < 14) return store.records.setValue("key", this.#dice.random());
      if (dice < 16) return this.#supersede(store);
      return this.#close(store);
    });
  }

  #import(store: Store, added: TestPackage): void {
    const options = this.#staging();
    this.#acknowledged.adding(added, () => importPackage(store, added, options));
  }

  /** Sometimes every blob has its name as soon as it is whole. */
  #staging(): StagingOptions {
    const checkpoints = this.#dice.chance(0.3) ? { checkpointBytes: 1 } : {};
    return { fs: this.#machine.fs, ...checkpoints };
  }

  /** Gives up what the newest of a name has replaced, and what nothing needs. */
  #supersede(store: Store): void {
    const web = PACKAGES.filter(({ record }) => record.name === "web");
    for (const added of web) {
      const isThere = store.records.getPackage(added.record.digest) !== undefined;
      if (!isThere && this.#dice.chance(0.7)) this.#import(store, added);
    }
    const accepted = store.records.listPackages().filter(({ name }) => name === "web");
    const newest = accepted.at(-1);
    if (newest !== undefined) store.records.setPackageState(newest.digest, "ready");
    for (const added of web) {
      const older = accepted.slice(0, -1).some(({ digest }) => digest === added.record.digest);
      if (!older) continue;
      this.#acknowledged.superseding(added);
      store.records.setPackageState(added.record.digest, "superseded");
    }
    this.#acknowledged.collecting();
    store.collector.collect({ urgent: true });
  }

  /** Some of its blobs may have become the store's before it turns out that it is refused. */
  #refuse(store: Store, added: TestPackage): void {
    this.#acknowledged.writing(added.blobs);
    const staging = stagePackage(store.dir, added, this.#staging());
    staging.discard();
    store.collector.discard(staging.published);
  }

  /** As when the process ends before the record is written. */
  #stageOnly(store: Store, added: TestPackage): void {
    this.#acknowledged.writing(added.blobs);
    stagePackage(store.dir, added, this.#staging()).commit(added.record.digest);
    this.#acknowledged.written(added.blobs);
  }

  async #writeBlob(store: Store): Promise<void> {
    const text = this.#dice.pick(LOOSE);
    this.#acknowledged.writing([text]);
    await store.blobs.write(digestOf(text), text.length, chunks(text.slice(0, 3), text.slice(3)));
    this.#acknowledged.written([text]);
  }

  async #writeBadBlob(store: Store): Promise<void> {
    const digest = digestOf(this.#dice.pick(LOOSE));
    await store.blobs.write(digest, undefined, chunks("other bytes")).then(
      () => this.losses.push(`${digest} was taken in with other bytes`),
      (error) => {
        if (error.reason !== "DigestMismatch") throw error;
      },
    );
  }

  #quarantine(store: Store): void {
    const text = this.#dice.pick([...ALL_BLOBS]);
    // What the collector removed may come back in a power cut: nothing needs it, and it is whole.
    if (store.blobs.stat(digestOf(text)) === undefined) return;
    this.#acknowledged.quarantining(text);
    store.blobs.quarantine(digestOf(text));
    this.#acknowledged.quarantined(text);
  }

  #close(store: Store): void {
    if (this.#options.onlyPowerCuts) return;
    this.#store = undefined;
    store.close();
    // A disk that lies has some seconds before the next power cut.
    if (this.#options.lies !== undefined) this.#machine.settle();
  }

  /** Takes everything in once more, and compares with a store that was never disturbed. */
  async #finish(): Promise<void> {
    const store = this.#opened();
    await takeAllIn(store, this.#machine.fs);
    const found = stateOf(store);
    if (found !== await undisturbed(this.#options.root)) {
      this.losses.push(`it does not end as if nothing had been: ${found}`);
    }
  }
}

let known: Promise<string> | undefined;

/** The state that every trial has to end in. */
function undisturbed(root: string): Promise<string> {
  return known ??= (async () => {
    using store = Store.open(`${root}/undisturbed`);
    await takeAllIn(store);
    return stateOf(store);
  })();
}

async function takeAllIn(store: Store, fs: StoreFs = systemStoreFs): Promise<void> {
  for (const added of PACKAGES) importPackage(store, added, { fs });
  for (const text of LOOSE) await store.blobs.write(digestOf(text), text.length, chunks(text));
  for (const { digest } of store.records.listPackages()) {
    store.records.setPackageState(digest, "accepted");
  }
}

function hours(): () => number {
  let time = 0;
  return () => time += 3_600_000;
}
