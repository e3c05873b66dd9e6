import type { PackageRecord } from "../store/mod.ts";

/** What has to be done with the packages of this node. */
export interface PackagePlan {
  /** To deploy, in the order in which they were accepted. */
  readonly deploy: readonly PackageRecord[];
  /** No longer wanted, because a newer package of the name was accepted. */
  readonly supersede: readonly PackageRecord[];
}

/** The states that a package does not leave by itself. */
const SETTLED: ReadonlySet<PackageRecord["state"]> = new Set([
  "ready",
  "failed",
  "rolled-back",
  // The newest of its name when somebody removed it, or deployed another one from elsewhere.
  "superseded",
]);

/**
 * Looks at all packages and says what to do: of each name the one that was accepted last is wanted.
 * A package that is Ready stays so until its successor is Ready: only then it is superseded.
 */
export function planPackages(records: readonly PackageRecord[]): PackagePlan {
  const wanted = new Map<string, PackageRecord>();
  for (const record of records) {
    const current = wanted.get(record.name);
    if (current === undefined || record.sequence > current.sequence) {
      wanted.set(record.name, record);
    }
  }
  const newest = [...wanted.values()].sort((a, b) => a.sequence - b.sequence);
  const supersede = records.filter((record) => {
    const successor = wanted.get(record.name);
    if (successor === undefined || successor === record || record.state === "superseded") {
      return false;
    }
    return record.state !== "ready" || successor.state === "ready";
  });
  return { deploy: newest.filter((record) => !SETTLED.has(record.state)), supersede };
}
