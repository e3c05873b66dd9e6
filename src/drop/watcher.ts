import type { PackageContents, TrustedKey } from "../package/mod.ts";
import {
  type Clock,
  describeError,
  failpoint,
  HoldfastError,
  isDigest,
  type Logger,
  systemClock,
} from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
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
import { type Scan, scanDirectory } from "./scan.ts";
import { REFUSE_TIME, sameFile, SETTLE_TIME, SETTLE_TIME_AGAIN, SettleWatch } from "./settle.ts";
import type { DropOutcome, DroppedFile, FileIdentity, Wanting } from "./types.ts";

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
export interface DropOptions {
  readonly directories: readonly string[];
  readonly store: Store;
  /** The node's processor. */
  readonly architecture: "amd64" | "arm64";
  /** With keys, only what one of them signed is accepted; without, everything is. */
  readonly trust: readonly TrustedKey[];
  readonly logger: Logger;
  /** Told whenever more is known about a file; once for each file at the start. */
  readonly onChange: (file: DroppedFile) => void;
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
  readonly #reported = new Map<string, string>();
  readonly #hints: DirectoryHints;
  readonly #intake: Intake;
  readonly #keyRing: string;
  readonly #complained = new Map<string, string>();
  /** Milliseconds until the next look while there is something to do. */
  #pause = BUSY_INTERVAL;

  constructor(options: DropOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#attempts = new Attempts(this.#clock);
    this.#intake = new Intake({ ...options, clock: this.#clock });
    this.#keyRing = keyRing(options.trust);
    this.#hints = new DirectoryHints(options.logger);
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
        this.#complain(path, `something cannot be looked at: ${why}`);
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
    for (const path of this.#reported.keys()) if (!present.has(path)) this.#gone(path);
    for (const path of this.#complained.keys()) {
      const known = present.has(path) || this.#options.directories.includes(path);
      if (!known) this.#complained.delete(path);
    }
    return busy;
  }

  async #scan(directory: string): Promise<Scan | undefined> {
    try {
      const scan = await scanDirectory(directory);
      const complaint = scan === undefined
        ? "the drop directory is not there; it is looked for again"
        : scan.truncated
        ? "the drop directory holds too many files; the deepest and last ones are not looked at"
        : "";
      this.#complain(directory, complaint);
      return scan;
    } catch (error) {
      this.#complain(directory, `the drop directory cannot be read: ${describeError(error)}`);
      return undefined;
    }
  }

  /** Logs a state of a directory or file when it changes, not at every look. */
  #complain(path: string, complaint: string): void {
    if ((this.#complained.get(path) ?? "") === complaint) return;
    if (complaint === "") this.#complained.delete(path);
    else this.#complained.set(path, complaint);
    if (complaint !== "") this.#options.logger.warn(complaint, { path });
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
      this.#complain(file.path, `nothing can be said of a file: ${message}`);
      return this.#report(file, { phase: "Receiving", reason, message, bytes: 0 });
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
      return this.#report(file, known);
    }
    const unchanged = this.#settle.unchangedFor(file, this.#clock.monotonic());
    if (wanting !== undefined) return this.#report(file, { phase: "Receiving", ...wanting });
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
      return this.#report(file, receiving("BeingCopied"));
    }
    if (attempt !== undefined && this.#attempts.isWaiting(file)) {
      return this.#report(file, waiting(attempt));
    }
    return await this.#read(file, signal);
  }

  #settleTime({ path }: FileIdentity): number {
    return this.#attempts.hasFailed(path) ? SETTLE_TIME_AGAIN : SETTLE_TIME;
  }

  /**
   * Whoever removes a package file by file leaves parts of it for a while; once all are gone, what is
   * known of the whole one counts again.
   */
  #gone(path: string): void {
    try {
      const record = this.#options.store.records.getDrop(path);
      const outcome = parseOutcome(record?.outcome);
      if (record !== undefined && outcome?.phase === "Accepted") this.#report(record, outcome);
      this.#reported.delete(path);
    } catch (error) {
      this.#options.logger.debug(`asked again at the next look: ${describeError(error)}`, { path });
    }
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
    this.#report(file, receiving("Reading"));
    failpoint("drop.read");
    try {
      const contents = await this.#intake.take({
        file,
        tight: this.#attempts.of(file)?.tight === true,
        // A directory is read with headers that are none of its bytes.
        onProgress: (bytes, scouting) => {
          const reason = scouting ? "LookingOver" : "Reading";
          this.#report(file, receiving(reason, Math.min(bytes, file.size)));
        },
      }, signal);
      this.#say("package accepted", file, contents);
      return this.#remember(file, { phase: "Accepted", digest: contents.digest });
    } catch (error) {
      if (signal.aborted) return receiving("Stopped");
      return this.#report(file, waiting(this.#failed(file, error)));
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
      this.#say("the missing parts of a package were read again", file, contents);
    } catch (error) {
      if (!signal.aborted) this.#failed(file, error);
    }
  }

  #say(message: string, file: FileIdentity, contents: PackageContents): void {
    const { definition, digest, trust, unknownFields } = contents;
    if (unknownFields.length > 0) {
      this.#options.logger.warn("the package has fields that Zarf does not know; they do nothing", {
        file: file.path,
        fields: unknownFields.join(", "),
      });
    }
    this.#options.logger.info(message, {
      file: file.path,
      package: definition.metadata.name,
      digest,
      signature: trust.state,
      ...(trust.state === "Verified" ? { signedBy: trust.signedBy } : {}),
    });
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
      this.#complain(file.path, "");
    } catch (error) {
      this.#complain(file.path, `a refusal could not be recorded: ${describeError(error)}`);
    }
    return this.#report(file, outcome);
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
    return this.#report(file, outcome);
  }

  #report(file: FileIdentity, outcome: DropOutcome): DropOutcome {
    const said = JSON.stringify([file.size, String(file.mtimeNs), String(file.inode), outcome]);
    if (this.#reported.get(file.path) !== said) {
      this.#reported.set(file.path, said);
      this.#options.onChange({ ...file, outcome });
    }
    return outcome;
  }
}
