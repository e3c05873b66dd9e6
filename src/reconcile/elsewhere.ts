import { type PackageRecord, REMOVED_PHASE } from "../store/mod.ts";
import type { DeployedPackage } from "../zarf/mod.ts";

/** Where a package that was Ready stands after others have been at it. */
export interface Elsewhere extends Pick<PackageRecord, "reason" | "message" | "components"> {
  readonly state: "ready" | "superseded";
}

/** What a package says while all of it is there. */
export const READY = {
  reason: "Ready",
  message: "everything in the package is deployed and ready",
} as const;

const AGAIN = "drop the file again to deploy it";

/**
 * What became of a package that is Ready, by what the cluster's own record of it says. Somebody with
 * rights in the cluster may remove a package or deploy another one of the name, with the real `zarf`
 * or by dropping it on another node: that stands, and is not undone.
 *
 * @param known all packages of this node's store: what is done with those is the reconciler's.
 * @param recorded the record of the package's name; `undefined` when there is none any more.
 */
export function elsewhere(
  record: PackageRecord,
  known: readonly PackageRecord[],
  recorded: DeployedPackage | undefined,
): Elsewhere {
  if (recorded === undefined) return removed(record);
  if (recorded.digest === record.digest) return asRecorded(record, recorded);
  const isOurs = known.some(({ digest }) => digest === recorded.digest);
  return isOurs || !isDone(recorded) ? asIs(record) : replaced(record, recorded);
}

/** A package without components leaves no record. */
function removed(record: PackageRecord): Elsewhere {
  if (record.components.length === 0) return asIs(record);
  const removed = { phase: REMOVED_PHASE, message: "removed from the cluster" };
  return {
    state: "superseded",
    reason: "Removed",
    message: `somebody removed the package from the cluster; ${AGAIN}`,
    components: record.components.map(({ name }) => ({ name, ...removed })),
  };
}

function asRecorded(record: PackageRecord, { deployedComponents }: DeployedPackage): Elsewhere {
  const there = new Set(deployedComponents.map(({ name }) => name));
  const gone = record.components.filter(({ name }) => !there.has(name)).map(({ name }) => name);
  const components = record.components.map((component) => {
    if (gone.includes(component.name)) {
      return { ...component, phase: REMOVED_PHASE, message: "removed from the cluster" };
    }
    return component.phase === REMOVED_PHASE
      ? { ...component, phase: "Ready", message: "ready" }
      : component;
  });
  if (gone.length === 0) return { state: "ready", ...READY, components };
  const names = gone.map((name) => `"${name}"`).join(", ");
  const message = `everything else is deployed and ready; somebody removed ${names} from the ` +
    `cluster; ${AGAIN}`;
  return { state: "ready", reason: "ComponentsRemoved", message, components };
}

function isDone({ deployedComponents }: DeployedPackage): boolean {
  return deployedComponents.every(({ status }) => status === "Succeeded");
}

function replaced(record: PackageRecord, { data, cliVersion }: DeployedPackage): Elsewhere {
  const metadata = data["metadata"] as { readonly version?: unknown } | undefined;
  const version = typeof metadata?.version === "string" && metadata.version !== ""
    ? `version ${metadata.version}`
    : "another one";
  const by = cliVersion === "" ? "" : ` (Zarf ${cliVersion})`;
  return {
    state: "superseded",
    reason: "DeployedElsewhere",
    message: `${version} of ${record.name} was deployed from elsewhere${by} and took its place; ` +
      AGAIN,
    components: record.components,
  };
}

function asIs({ reason, message, components }: PackageRecord): Elsewhere {
  return { state: "ready", reason, message, components };
}

/** Whether a package stands otherwise than it is recorded. */
export function differs(record: PackageRecord, now: Elsewhere): boolean {
  const parts = ({ state, reason, message, components }: Elsewhere | PackageRecord) =>
    JSON.stringify([state, reason, message, components]);
  return parts(record) !== parts(now);
}
