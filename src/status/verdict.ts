import type { Digest } from "../std/mod.ts";

/** Where a package stands, as design.md §5 fixes it. */
export type PackagePhase =
  | "Receiving"
  | "Rejected"
  | "Accepted"
  | "Deploying"
  | "Ready"
  | "Failed"
  | "RolledBack"
  | "Superseded";

/** Phases that a package does not leave by itself. */
export const FINAL_PHASES: readonly PackagePhase[] = [
  "Rejected",
  "Ready",
  "Failed",
  "RolledBack",
  "Superseded",
];

/** Where one component of a package stands. */
export interface ComponentStatus {
  readonly name: string;
  readonly phase: "Waiting" | "Deploying" | "Ready" | "Failed" | "Removed";
  readonly message: string;
}

/** What is said about one dropped file. */
export interface Verdict {
  /** The file's path on this node. */
  readonly file: string;
  readonly node: string;
  /** Known once the definition was read. */
  readonly package?: {
    readonly name: string;
    readonly version: string;
    readonly architecture: string;
    readonly digest: Digest;
    /** `Verified` by a trusted key, `Unverified` (no keys to check it by), or `Unsigned`. */
    readonly signature: string;
  };
  readonly phase: PackagePhase;
  /** CamelCase, from the closed lists of the rooms that decide. */
  readonly reason: string;
  /** One sentence that a technician can act on. */
  readonly message: string;
  readonly components: readonly ComponentStatus[];
  /** Bytes read of the file's bytes. */
  readonly progress: { readonly bytes: number; readonly totalBytes: number };
}

/** A verdict as it is written to a file: PackageStatus of holdfast.dev/v1alpha1. */
export interface PackageStatus extends Verdict {
  readonly apiVersion: "holdfast.dev/v1alpha1";
  readonly kind: "PackageStatus";
  /** RFC 3339. */
  readonly observedAt: string;
}

/** The object of a verdict, with its keys in the order in which people read them. */
export function packageStatus(verdict: Verdict, observedAt: Date): PackageStatus {
  return {
    apiVersion: "holdfast.dev/v1alpha1",
    kind: "PackageStatus",
    file: verdict.file,
    node: verdict.node,
    ...(verdict.package === undefined ? {} : { package: verdict.package }),
    phase: verdict.phase,
    reason: verdict.reason,
    message: verdict.message,
    components: verdict.components,
    progress: verdict.progress,
    observedAt: observedAt.toISOString(),
  };
}

/** Whether two verdicts say the same, so that nothing needs to be written. */
export function sameVerdict(one: Verdict | undefined, other: Verdict): boolean {
  return one !== undefined && JSON.stringify(one) === JSON.stringify(other);
}
