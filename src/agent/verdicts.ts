import { type DropOutcome, type DroppedFile, parseOutcome } from "../drop/mod.ts";
import type { ComponentStatus, PackagePhase, Verdict } from "../status/mod.ts";
import type { PackageRecord, Store } from "../store/mod.ts";
import { isDigest } from "../std/mod.ts";

const PHASES: Readonly<Record<PackageRecord["state"], PackagePhase>> = {
  accepted: "Accepted",
  deploying: "Deploying",
  ready: "Ready",
  failed: "Failed",
  "rolled-back": "RolledBack",
  superseded: "Superseded",
};

/** What is said about a dropped file: what the drop room knows, then what became of the package. */
export function verdictOf(
  file: DroppedFile,
  record: PackageRecord | undefined,
  node: string,
): Verdict {
  const base = {
    file: file.path,
    node,
    components: [],
    progress: { bytes: bytesRead(file), totalBytes: file.size },
  };
  const { outcome } = file;
  if (outcome.phase !== "Accepted") {
    const { phase, reason, message } = outcome;
    return { ...base, phase, reason, message };
  }
  if (record === undefined) {
    return {
      ...base,
      phase: "Failed",
      reason: "RecordLost",
      message: "the package was accepted but the store has no record of it; drop the file again",
    };
  }
  return { ...base, ...packagePart(record) };
}

function packagePart(record: PackageRecord) {
  const { name, version, architecture, digest, state, signature } = record;
  return {
    package: { name, version, architecture, digest, signature },
    phase: PHASES[state],
    reason: record.reason || signature,
    message: record.message || "the package is verified and in the store; it waits to be deployed",
    components: record.components.map(componentStatus),
  };
}

function componentStatus({ name, phase, message }: PackageRecord["components"][number]) {
  const known: readonly string[] = ["Waiting", "Deploying", "Ready", "Failed", "Removed"];
  return {
    name,
    phase: (known.includes(phase) ? phase : "Waiting") as ComponentStatus["phase"],
    message,
  };
}

function bytesRead({ outcome, size }: DroppedFile): number {
  if (outcome.phase === "Receiving") return outcome.bytes;
  return outcome.phase === "Accepted" ? size : 0;
}

/**
 * The verdicts of all files: of those that are there now, and of those that were taken in earlier
 * and are gone.
 */
export class VerdictBook {
  readonly #store: Store;
  readonly #node: () => string;
  readonly #current = new Map<string, DroppedFile>();

  /** @param node this node's name, as people are told it. */
  constructor(store: Store, node: () => string) {
    this.#store = store;
    this.#node = node;
    for (const drop of store.records.listDrops()) {
      const outcome: DropOutcome | undefined = parseOutcome(drop.outcome);
      if (outcome !== undefined) this.#current.set(drop.path, { ...drop, outcome });
    }
  }

  /** Notes what is known about a file. */
  note(file: DroppedFile): void {
    this.#current.set(file.path, file);
  }

  /** The verdict of one file that was noted. */
  verdict(file: DroppedFile): Verdict {
    const { outcome } = file;
    const record = outcome.phase === "Accepted" && isDigest(outcome.digest)
      ? this.#store.records.getPackage(outcome.digest)
      : undefined;
    return verdictOf(file, record, this.#node());
  }

  /** All verdicts, by file. */
  all(): Verdict[] {
    return [...this.#current.values()]
      .map((file) => this.verdict(file))
      .sort((a, b) => a.file < b.file ? -1 : 1);
  }
}
