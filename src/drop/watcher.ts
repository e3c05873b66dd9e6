import type { TrustedKey } from "../package/mod.ts";
import {
  type Clock,
  Complaints,
  describeError,
  failpoint,
  HoldfastError,
  isDigest,
  systemClock,
} from "../std/mod.ts";
import { type Attempt, Attempts } from "./attempts.ts";
import { DirectoryHints } from "./hints.ts";
import { Intake } from "./intake.ts";
import {
  conditionOf,
  type FinalOutcome,
  isFinal,
  keyRing,
  parseOutcome,
  receiving,
  waiting,
} from "./outcome.ts";
import { Reports, type ReportsOptions } from "./reports.ts";
import { type Scan, scanDirectory } from "./scan.ts";
import { REFUSE_TIME, sameFile, SETTLE_TIME, SETTLE_TIME_AGAIN, SettleWatch } from "./settle.ts";
import type { DropOutcome, FileIdentity, Wanting } from "./types.ts";

/** Milliseconds between two looks when every file is dealt with; a change wakes earlier. */
export const IDLE_INTERVAL = 5_000;
/**
 * The most milliseconds between two looks while a file is being copied or waits for another try; one
 * that may be whole is looked at as soon as it is taken to be.
 */
export const BUSY_INTERVAL = 500;

/** The places in which a test may end the process while a package is taken in. */
export const DROP_FAILPOINTS = ["drop.read", "drop.recorded", "drop.remembered"] as const;

/** What {@linkcode DropWatcher} works with. */
export interface DropOptions extends ReportsOptions {
  readonly directories: readonly string[];
  /** The node's processor. */
  readonly architecture: "amd64" | "arm64";
  /** With keys, only what one of them signed is accepted; without, everything is. */
  readonly trust: readonly TrustedKey[];
  readonly clock?: Clock;
}

/**
 * Takes packages in: looks at the drop directories again and again, reads each file that is whole
 * and not known yet, one at a time, and remembers what came of it.
 *
 * It acts on what the directories hold, never on having seen an event: watching them only makes the
 * next look come earlier. Stopping it at any point and starting it again ends the same.
 */
export class DropWatcher {
  readonly #options: DropOptions;
  readonly #clock: Clock;
  readonly #settle = new SettleWatch();
  readonly #attempts: Attempts;
  readonly #reports: Reports;
  readonly #hints: DirectoryHints;
  readonly #intake: Intake;
  readonly #keyRing: string;
  readonly #complaints: Complaints;
  /** Milliseconds until the next look while there is something to do. */
  #pause = BUSY_INTERVAL;

  constructor(options: DropOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#attempts = new Attempts(this.#clock);
    this.#intake = new Intake({ ...options, clock: this.#clock });
    this.#reports = new Reports(options);
    this.#keyRing = keyRing(options.trust);
    this.#hints = new DirectoryHints(options.logger);
    this.#complaints = new Complaints((text, path) => options.logger.warn(text, { path }));
  }

  /** Runs until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      while (!signal.aborted) {
        const busy = await this.look(signal);
        await this.#hints.wait(busy ? this.#pause : IDLE_INTERVAL, this.#clock, signal);
      }
    } finally {
      this.#hints.close();
    }
  }

  /** Looks once at every directory; says whether some file is not dealt with yet. */
  async look(signal: AbortSignal): Promise<boolean> {
    const present = new Set<string>();
    let busy = false;
    this.#pause = BUSY_INTERVAL;
    for (const directory of this.#options.directories) {
      const scan = await this.#scan(directory);
      if (scan === undefined) continue;
      this.#hints.watch(directory, scan.inode);
      for (const [path, why] of scan.unreadable) {
        present.add(path);
        this.#complaints.say(`something cannot be looked at: ${why}`, path);
      }
      for (const file of scan.files) {
        present.add(file.path);
        if (signal.aborted) return true;
        const wanting = scan.wanting.get(file.path);
        const outcome = await this.#considered(file, wanting, signal);
        if (!isFinal(outcome) && !this.#isResting(file, wanting)) busy = true;
      }
    }
    this.#settle.keepOnly(present);
    this.#attempts.keepOnly(present);
    this.#reports.keepOnly(present);
    this.#complaints.keepOnly((path) =>
      present.has(path) || this.#options.directories.includes(path)
    );
    return busy;
  }

  async #scan(directory: string): Promise<Scan | undefined> {
    try {
      const scan = await scanDirectory(directory);
      const complaint = complaintOf(scan);
      if (complaint === undefined) this.#complaints.settle(directory);
      else this.#complaints.say(complaint, directory);
      return scan;
    } catch (error) {
      this.#complaints.say(`the drop directory cannot be read: ${describeError(error)}`, directory);
      return undefined;
    }
  }

  /** A store that does not answer for one file must not keep the others from being looked at. */
  async #considered(
    file: FileIdentity,
    wanting: Wanting | undefined,
    signal: AbortSignal,
  ): Promise<DropOutcome> {
    try {
      return await this.#consider(file, wanting, signal);
    } catch (error) {
      const reason = error instanceof HoldfastError ? error.reason : "ReadFailed";
      const message = describeError(error);
      this.#complaints.say(`nothing can be said of a file: ${message}`, file.path);
      return this.#reports.tell(file, { phase: "Receiving", reason, message, bytes: 0 });
    }
  }

  async #consider(
    file: FileIdentity,
    wanting: Wanting | undefined,
    signal: AbortSignal,
  ): Promise<DropOutcome> {
    const known = this.#known(file);
    if (known !== undefined) {
      await this.#repair(file, known, signal);
      return this.#reports.tell(file, known);
    }
    const unchanged = this.#settle.unchangedFor(file, this.#clock.monotonic());
    if (wanting !== undefined) return this.#reports.tell(file, { phase: "Receiving", ...wanting });
    const attempt = this.#attempts.of(file);
    if (attempt?.retryAt === Infinity && unchanged >= REFUSE_TIME) {
      const { reason, message, published } = attempt;
      this.#options.store.collector.discard(published);
      const condition = conditionOf(reason, this.#keyRing);
      return this.#refuse(file, {
        phase: "Rejected",
        reason,
        message,
        ...(condition === undefined ? {} : { keys: condition }),
      });
    }
    const left = this.#settleTime(file) - unchanged;
    if (left > 0) {
      this.#pause = Math.min(this.#pause, Math.ceil(left));
      return this.#reports.tell(file, receiving("BeingCopied"));
    }
    if (attempt !== undefined && this.#attempts.isWaiting(file)) {
      return this.#reports.tell(file, waiting(attempt));
    }
    return await this.#read(file, signal);
  }

  #settleTime({ path }: FileIdentity): number {
    return this.#attempts.hasFailed(path) ? SETTLE_TIME_AGAIN : SETTLE_TIME;
  }

  /** Whether it waits for parts that nobody is copying now: they may come in hours. */
  #isResting(file: FileIdentity, wanting: Wanting | undefined): boolean {
    if (wanting === undefined) return false;
    return this.#settle.unchangedFor(file, this.#clock.monotonic()) >= REFUSE_TIME;
  }

  #known(file: FileIdentity): FinalOutcome | undefined {
    const record = this.#options.store.records.getDrop(file.path);
    if (record === undefined || !sameFile(record, file)) return undefined;
    const outcome = parseOutcome(record.outcome);
    if (outcome?.phase !== "Rejected" || outcome.keys === undefined) return outcome;
    // What other keys refused may be good now, as after a rotation; so may what an older agent did.
    return outcome.keys === conditionOf(outcome.reason, this.#keyRing) ? outcome : undefined;
  }

  async #read(file: FileIdentity, signal: AbortSignal): Promise<DropOutcome> {
    this.#reports.tell(file, receiving("Reading"));
    failpoint("drop.read");
    try {
      const contents = await this.#intake.take({
        file,
        tight: this.#attempts.of(file)?.tight === true,
        // A directory is read with headers that are none of its bytes.
        onProgress: (bytes, scouting) => {
          const reason = scouting ? "LookingOver" : "Reading";
          this.#reports.tell(file, receiving(reason, Math.min(bytes, file.size)));
        },
      }, signal);
      this.#reports.taken("package accepted", file, contents);
      return this.#remember(file, { phase: "Accepted", digest: contents.digest });
    } catch (error) {
      if (signal.aborted) return receiving("Stopped");
      return this.#reports.tell(file, waiting(this.#failed(file, error)));
    }
  }

  /** Reads a package again that was accepted, if the store lacks parts of it; nothing else changes. */
  async #repair(file: FileIdentity, known: FinalOutcome, signal: AbortSignal): Promise<void> {
    const { store } = this.#options;
    if (known.phase !== "Accepted" || !isDigest(known.digest)) return;
    const isDamaged = store.damage.packages.has(known.digest);
    if (!isDamaged || this.#attempts.isWaiting(file)) return;
    try {
      const contents = await this.#intake.take({
        file,
        repairs: known.digest,
        tight: this.#attempts.of(file)?.tight === true,
        onProgress: () => {},
      }, signal);
      store.findDamage();
      this.#attempts.forget(file.path);
      this.#reports.taken("the missing parts of a package were read again", file, contents);
    } catch (error) {
      if (!signal.aborted) this.#failed(file, error);
    }
  }

  #failed(file: FileIdentity, error: unknown): Attempt {
    const attempt = this.#attempts.failed(file, error);
    if (attempt.retryAt !== Infinity) {
      const text = `the package could not be taken in and is tried again: ${attempt.message}`;
      this.#options.logger.warn(text, { file: file.path, reason: attempt.reason });
    }
    return attempt;
  }

  /** A refusal holds also when it cannot be recorded now; the next look records it. */
  #refuse(file: FileIdentity, outcome: Extract<DropOutcome, { phase: "Rejected" }>): DropOutcome {
    try {
      this.#remember(file, outcome);
      this.#complaints.settle(file.path);
    } catch (error) {
      this.#complaints.say(`a refusal could not be recorded: ${describeError(error)}`, file.path);
    }
    return this.#reports.tell(file, outcome);
  }

  #remember(file: FileIdentity, outcome: Exclude<DropOutcome, { phase: "Receiving" }>) {
    this.#options.store.records.putDrop({ ...file, outcome });
    failpoint("drop.remembered");
    this.#attempts.forget(file.path);
    if (outcome.phase === "Rejected") {
      this.#options.logger.warn(`package rejected: ${outcome.message}`, {
        file: file.path,
        reason: outcome.reason,
      });
    }
    return this.#reports.tell(file, outcome);
  }
}

/** What is wrong with a drop directory that was looked at. */
function complaintOf(scan: Scan | undefined): string | undefined {
  if (scan === undefined) return "the drop directory is not there; it is looked for again";
  return scan.truncated
    ? "the drop directory holds too many files; the deepest and last ones are not looked at"
    : undefined;
}
