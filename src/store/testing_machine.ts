import { watchFailpoints } from "../std/mod.ts";
import { exists, type StoreFs } from "./fs.ts";
import { type DatabaseImage, readDatabase, tornCommit, writeDatabase } from "./testing_database.ts";
import { type Lie, LossyDisk, type Luck, PowerCut } from "./testing_disk.ts";

/** An end comes within so many calls. */
const MAX_CALLS = 150;
/** What is apart only for a moment: half of all ends come before one of these. */
const MARKED_CALLS = ["rename", "fsyncDir", "fsyncFile", "remove", "store.record.committed"];
/** Which of them, from the start on. */
const MAX_MARKED = 12;
/** The share of ends in which the machine goes on, and only the process ends. */
const KILLS = 0.4;

/** Decisions by numbers in [0, 1). */
export class Dice {
  readonly random: () => number;
  constructor(random: () => number) {
    this.random = random;
  }

  chance(share: number): boolean {
    return this.random() < share;
  }
  below(count: number): number {
    return Math.floor(this.random() * count);
  }
  pick<T>(values: readonly T[]): T {
    const value = values[this.below(values.length)];
    if (value === undefined) throw new RangeError("there is nothing to pick from");
    return value;
  }
}

/** What a {@linkcode Machine} is made of. */
export interface MachineOptions {
  /** A directory of its own. */
  readonly root: string;
  readonly dice: Dice;
  /** What its disk only pretends to flush. */
  readonly lies: readonly Lie[];
  /** Whether a process never ends alone. */
  readonly onlyPowerCuts: boolean;
}

/** A machine with a {@linkcode LossyDisk}, whose process or power ends at chance calls. */
export class Machine {
  powerCuts = 0;
  readonly #options: MachineOptions;
  #starts = 0;
  #disk: LossyDisk;
  /** Calls until the end; zero when it has come. */
  #callsLeft = Infinity;
  #marked: { readonly call: string; left: number } | undefined;
  /** The database as it was at the end; undefined while that is what its files hold. */
  #image: DatabaseImage | undefined;
  #beforeCommit: DatabaseImage | undefined;

  constructor(options: MachineOptions) {
    this.#options = options;
    Deno.mkdirSync(this.#root);
    this.#disk = this.#watch();
  }

  /** The data directory. */
  get dir(): string {
    return `${this.#root}/data`;
  }
  get fs(): StoreFs {
    return this.#disk.fs;
  }
  /** Whether the end has come. */
  get isDown(): boolean {
    return this.#callsLeft <= 0;
  }
  get #root(): string {
    return `${this.#options.root}/${this.#starts}`;
  }

  /** Chooses the end: within `most` calls if that is given, otherwise at any call or at a marked one. */
  arm(most?: number): void {
    const { dice } = this.#options;
    this.#marked = undefined;
    if (most !== undefined || dice.chance(0.5)) {
      this.#callsLeft = 1 + dice.below(most ?? MAX_CALLS);
      return;
    }
    this.#callsLeft = Infinity;
    this.#marked = { call: dice.pick(MARKED_CALLS), left: 1 + dice.below(MAX_MARKED) };
  }

  /** Lets it run on. */
  disarm(): void {
    this.#callsLeft = Infinity;
    this.#marked = undefined;
  }

  /** Runs `action` until it returns or the end comes. */
  async attempt(action: () => unknown): Promise<void> {
    watchFailpoints((name) => this.#passed(name));
    try {
      await action();
    } catch (error) {
      if (!this.isDown) throw error;
    } finally {
      watchFailpoints(undefined);
    }
  }

  /** Flushes everything, as a system does that is shut down in order. */
  settle(): void {
    this.#disk.settle();
  }

  /**
   * Brings the end now, if it has not come, and the machine up again; mostly its power was cut.
   *
   * @param letGo gives back what the process held.
   */
  restart(letGo: () => void): void {
    this.#callsLeft = 0;
    this.#marked = undefined;
    const image = this.#image ?? readDatabase(this.dir);
    this.#image = undefined;
    letGo();
    if (this.#options.onlyPowerCuts || !this.#options.dice.chance(KILLS)) this.#cutPower();
    // What giving back has done to the database is undone.
    if (image !== undefined && exists(`${this.dir}/holdfast.db`)) writeDatabase(this.dir, image);
    this.disarm();
  }

  #watch(): LossyDisk {
    const disk = new LossyDisk(this.#root, ...this.#options.lies);
    disk.beforeCall = (call) => this.#called(call);
    return disk;
  }

  #called(call: string): void {
    if (this.isDown) throw new PowerCut();
    this.#callsLeft--;
    if (this.#marked?.call === call && --this.#marked.left === 0) this.#callsLeft = 0;
    if (!this.isDown) return;
    this.#image ??= readDatabase(this.dir);
    throw new PowerCut();
  }

  /** A commit is one more call: the end may come in the middle of it. */
  #passed(name: string): void {
    if (this.isDown) throw new PowerCut();
    if (name === "store.record.committing") this.#beforeCommit = readDatabase(this.dir);
    if (name !== "store.record.committed") return;
    const isLast = this.#callsLeft === 1 ||
      this.#marked?.call === name && this.#marked.left === 1;
    if (isLast) this.#image = this.#inCommit();
    this.#called(name);
  }

  #inCommit(): DatabaseImage | undefined {
    const { dice } = this.#options;
    const after = readDatabase(this.dir);
    const before = this.#beforeCommit;
    if (before === undefined || after === undefined || dice.chance(0.3)) return after;
    return tornCommit(before, after, dice.random);
  }

  /** Makes of the disk what luck leaves of it. */
  #cutPower(): void {
    this.powerCuts++;
    const before = this.#root;
    this.#starts++;
    this.#disk.leave(this.#root, this.#luck());
    Deno.removeSync(before, { recursive: true });
    this.#disk = this.#watch();
  }

  #luck(): Luck {
    const { dice } = this.#options;
    const share = dice.random();
    // A journal keeps the changes up to one point; without one, any of them.
    const last = dice.below(this.#disk.time + 1);
    return {
      keeps: dice.chance(0.5) ? (time) => time <= last : () => dice.chance(share),
      bytes: (written, flushed) => tornWrite(written, flushed, dice),
      mode: (set, flushed) => flushed === undefined || dice.chance(share) ? set : flushed,
    };
  }
}

/** Nothing, everything, a beginning, or a beginning and zeros: what ext4 and xfs leave. */
function tornWrite(
  written: Uint8Array,
  flushed: Uint8Array = new Uint8Array(),
  dice: Dice,
): Uint8Array {
  const kept = dice.below(written.length + 1);
  const throws = dice.random();
  if (throws < 0.2) return flushed;
  if (throws < 0.4) return written;
  if (throws < 0.6) return written.slice(0, kept);
  const torn = new Uint8Array(written.length);
  torn.set(written.subarray(0, throws < 0.8 ? kept : 0));
  return torn;
}
