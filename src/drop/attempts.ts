import {
  backoffDelay,
  type Clock,
  describeError,
  type Digest,
  dispositionOf,
  HoldfastError,
} from "../std/mod.ts";
import { IngestError } from "./ingest.ts";
import { sameFile } from "./settle.ts";
import type { FileIdentity } from "./types.ts";

/** The longest pause before a file is tried again after a failure that may pass, in milliseconds. */
export const MAX_RETRY_PAUSE = 60_000;
/** The first one. */
const FIRST_RETRY_PAUSE = 2_000;
/** After one of these failures a package is looked over before it is read again. */
const SPACE_REASONS: ReadonlySet<string> = new Set(["DiskFull", "NotEnoughSpace"]);

/** The last failure to take a file in. */
export interface Attempt {
  readonly identity: FileIdentity;
  readonly failures: number;
  /** Monotonic milliseconds; infinite when only a change of the file can help. */
  readonly retryAt: number;
  readonly reason: string;
  readonly message: string;
  /** It was for want of room. */
  readonly tight: boolean;
  /** Blobs of it that are in the store all the same. */
  readonly published: readonly Digest[];
}

/** The failures of the files that are there, each as long as its file does not change. */
export class Attempts {
  readonly #clock: Clock;
  readonly #attempts = new Map<string, Attempt>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The last failure with exactly this file. */
  of(file: FileIdentity): Attempt | undefined {
    const attempt = this.#attempts.get(file.path);
    return attempt !== undefined && sameFile(attempt.identity, file) ? attempt : undefined;
  }

  /** Whether what lay at this path was read in vain, this file or what it was before. */
  hasFailed(path: string): boolean {
    return this.#attempts.has(path);
  }

  /** Whether it is too early to try this file again. */
  isWaiting(file: FileIdentity): boolean {
    const attempt = this.of(file);
    return attempt !== undefined && this.#clock.monotonic() < attempt.retryAt;
  }

  /** Notes a failure; what may pass is tried again, ever more slowly. */
  failed(file: FileIdentity, error: unknown): Attempt {
    const failures = (this.of(file)?.failures ?? 0) + 1;
    const reason = error instanceof HoldfastError ? error.reason : "ReadFailed";
    const pause = backoffDelay(failures - 1, { initial: FIRST_RETRY_PAUSE, max: MAX_RETRY_PAUSE });
    const attempt: Attempt = {
      identity: file,
      failures,
      retryAt: dispositionOf(error) === "terminal" ? Infinity : this.#clock.monotonic() + pause,
      reason,
      message: describeError(error),
      tight: SPACE_REASONS.has(reason),
      published: error instanceof IngestError ? error.published : [],
    };
    this.#attempts.set(file.path, attempt);
    return attempt;
  }

  forget(path: string): void {
    this.#attempts.delete(path);
  }

  /** Forgets every file that is not in `paths`. */
  keepOnly(paths: ReadonlySet<string>): void {
    for (const path of this.#attempts.keys()) if (!paths.has(path)) this.#attempts.delete(path);
  }
}
