import type { Digest } from "../../src/std/mod.ts";
import type { Finding } from "./findings.ts";
import type { GoodPackage } from "./packages.ts";

/** What a program has told about a dropped file. */
export interface Told {
  /** `busy` is said in the run that goes on now; `done` comes when nothing more is to come. */
  readonly phase: "waiting" | "busy" | "done";
  /** Of the package, once it is said to be accepted. */
  readonly digest?: Digest;
}

/** A program that takes packages in on a disk whose power is cut. */
export interface Subject extends AsyncDisposable {
  /** Starts it; returns at once. */
  start(): void;
  /** Ends it as the cut does; the signal is sent before this first gives way. */
  kill(): Promise<void>;
  /** What was told outside of the disk about each file, by name; in earlier runs, too. */
  told(): Promise<ReadonlyMap<string, Told>>;
  /**
   * Waits until the run that goes on now is done with all files.
   *
   * @returns the files that it says are accepted or were, and are not any more what is to be served.
   * @throws {AssertionError} when it does not come to an end.
   */
  settle(files: readonly string[]): Promise<Settled>;
  /** Looks at what it does while it is idle. */
  checkRunning(accepted: readonly GoodPackage[]): Promise<Finding[]>;
  /** Looks at what it alone keeps on the disk while it does not run. */
  checkStopped(): Promise<Finding[]>;
  /** Ends it in order. @throws {AssertionError} when it does not end well. */
  stop(): Promise<void>;
}

/** Names of files by what became of them in the end. */
export interface Settled {
  readonly accepted: ReadonlySet<string>;
  /** Accepted, and a newer one of the name took the place. */
  readonly superseded: ReadonlySet<string>;
  readonly rejected: ReadonlySet<string>;
}
