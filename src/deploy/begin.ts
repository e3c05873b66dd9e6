import type { ZarfComponent } from "../package/mod.ts";
import { digestHex, exec as systemExec, silentLogger, systemClock } from "../std/mod.ts";
import type { DeployContext, DeployPackage } from "./context.ts";
import { HeldRecord, RECORD_STEP } from "./held_record.ts";
import { type DeployJournal, identityOf } from "./journal.ts";
import { hasLocalWork, LocalWork, type LocalWorkOptions } from "./local_work.ts";
import { DeploymentRecord, type InterruptedRecord } from "./record.ts";
import type { Scope } from "./scope.ts";
import { Workspace } from "./workspace.ts";

/** What a deployment keeps its place with. */
export interface Begun {
  readonly record: HeldRecord;
  /** Undefined when no component does anything on this node. */
  readonly local: LocalWork | undefined;
}

/**
 * Begins a deployment, or finds where it was before an interruption. It goes on only if its inputs are
 * the same, nobody has deployed the package since, and what its actions have set is still there.
 *
 * @throws {DeployError} `ActionFailed` when there is no shell for the package's actions.
 */
export async function beginDeployment(
  pkg: DeployPackage,
  context: DeployContext,
  components: readonly ZarfComponent[],
  scope: Scope,
  journal: DeployJournal,
  more: Pick<LocalWorkOptions, "fillingOf" | "onProgress" | "signal" | "stop">,
): Promise<Begun> {
  const { definition, digest } = pkg;
  const { name } = definition.metadata;
  const root = `${context.dataDir}/deploy/${name}`;
  const deployment = identityOf({
    wish: context.wish ?? "",
    components: components.map((component) => component.name),
    variables: scope.variables,
    values: scope.values,
  });
  const isLocal = components.some(hasLocalWork);
  const canGoOn = !isLocal || Workspace.holds(root, deployment);
  const interrupted = canGoOn ? journal.interrupted(deployment) : undefined;
  const recorded = { name, digest, raw: definition.raw, components };
  const record = await DeploymentRecord.begin(
    context.kube,
    recorded,
    interrupted === undefined ? undefined : recordedAs(interrupted, journal),
  );
  const now = Math.floor((context.clock ?? systemClock).now().getTime() / 1000);
  if (record.generation !== interrupted) {
    Workspace.remove(root);
    await journal.beginDeployment(deployment, record.generation, now);
  }
  scope.begin(journal.startedAt ?? now);
  const local = isLocal
    ? new LocalWork({
      ...localOptions(pkg, context, scope),
      ...{ root, deployment, journal, ...more },
    })
    : undefined;
  return { record: new HeldRecord(record, journal), local };
}

/** The record is written late in a deployment that changes little. */
function recordedAs(generation: number, journal: DeployJournal): InterruptedRecord {
  if (journal.isDone(RECORD_STEP)) return { generation, wrote: "yes" };
  return { generation, wrote: journal.isHalfDone(RECORD_STEP) ? "perhaps" : "no" };
}

function localOptions(pkg: DeployPackage, context: DeployContext, scope: Scope) {
  const { kube, kubeconfig, tools, dataDir, newer } = context;
  return {
    ...{ kube, kubeconfig, tools, scope },
    filesRoots: context.filesRoots ?? [],
    package: `${dataDir}/packages/${digestHex(pkg.digest)}`,
    exec: context.exec ?? systemExec,
    clock: context.clock ?? systemClock,
    logger: context.logger ?? silentLogger,
    ...(newer === undefined ? {} : { newer }),
  };
}
