import * as v from "valibot";
import type { CallOptions, KubeClient } from "../kube/mod.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { ZarfError } from "./errors.ts";
import { DEPLOY_INFO_LABEL, MANAGED_BY_LABEL, MANAGED_BY_ZARF, ZARF_NAMESPACE } from "./names.ts";

const connectStrings = v.record(
  v.string(),
  v.looseObject({ description: v.optional(v.string(), ""), url: v.optional(v.string(), "") }),
);

const InstalledChartSchema = v.looseObject({
  namespace: v.string(),
  /** The release's name, whatever the key says. */
  chartName: v.string(),
  connectStrings: v.optional(connectStrings),
  status: v.optional(v.string(), ""),
});

const DeployedComponentSchema = v.looseObject({
  name: v.string(),
  installedCharts: v.nullish(v.array(InstalledChartSchema), []),
  status: v.optional(v.string(), ""),
  observedGeneration: v.optional(v.number(), 0),
});

/**
 * The JSON in Secret `zarf/zarf-package-<name>` (Zarf 0.84, src/pkg/state/state.go DeployedPackage):
 * which package is deployed, how far, and which releases belong to it. Unknown keys are kept.
 */
export const DeployedPackageSchema = v.looseObject({
  name: v.string(),
  digest: v.optional(v.string(), ""),
  /** The package definition as JSON, v1alpha1. */
  data: v.record(v.string(), v.unknown()),
  cliVersion: v.optional(v.string(), ""),
  generation: v.optional(v.number(), 0),
  deployedComponents: v.nullish(v.array(DeployedComponentSchema), []),
  connectStrings: v.optional(connectStrings),
  packageConnectivity: v.optional(v.string(), "airgap"),
});

/** A package as the cluster remembers it. */
export type DeployedPackage = v.InferOutput<typeof DeployedPackageSchema>;
/** One component of it. `status` is `Deploying`, `Succeeded`, `Failed` or `Removing`. */
export type DeployedComponent = v.InferOutput<typeof DeployedComponentSchema>;
/** One Helm release of a component. `status` is `Succeeded` or `Failed`. */
export type InstalledChart = v.InferOutput<typeof InstalledChartSchema>;
/** What `zarf connect` offers: by name, what it is and which path to open. */
export type ConnectStrings = v.InferOutput<typeof connectStrings>;

/**
 * The client version that records carry. Zarf shows it and compares it with nothing; it names the
 * release whose format is written.
 */
export const CLI_VERSION = "v0.84.0";

/** The name of a package's Secret (state.go GetSecretName). */
export function packageSecretName(packageName: string): string {
  return `zarf-package-${packageName}`;
}

/**
 * The record of one package, or undefined when it was never deployed.
 *
 * @throws {ZarfError} `PackageRecordInvalid`.
 */
export async function loadPackage(
  kube: KubeClient,
  packageName: string,
  options: CallOptions = {},
): Promise<DeployedPackage | undefined> {
  const name = packageSecretName(packageName);
  const ref = { apiVersion: "v1", kind: "Secret", namespace: ZARF_NAMESPACE, name };
  const secret = await kube.get(ref, options);
  return secret === undefined ? undefined : parseRecord(secret, name);
}

/**
 * The records of all packages, by the label that Zarf lists them by.
 *
 * @throws {ZarfError} `PackageRecordInvalid` at the first one that cannot be read.
 */
export async function listPackages(kube: KubeClient): Promise<DeployedPackage[]> {
  const { items } = await kube.list(
    { apiVersion: "v1", kind: "Secret", namespace: ZARF_NAMESPACE },
    { labelSelector: DEPLOY_INFO_LABEL },
  );
  return items.map((item) => parseRecord(item, item.metadata.name ?? packageSecretName("*")));
}

/** Writes a record with exactly Zarf's labels; `connectStrings` is what its charts have together. */
export async function savePackage(kube: KubeClient, record: DeployedPackage): Promise<void> {
  await kube.apply({
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: packageSecretName(record.name),
      namespace: ZARF_NAMESPACE,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY_ZARF, [DEPLOY_INFO_LABEL]: record.name },
    },
    type: "Opaque",
    data: { data: encodeBase64(serializePackage(record)) },
  }, { force: true });
}

/** The JSON of a record as Zarf writes it: `connectStrings` is left out when there are none. */
export function serializePackage(record: DeployedPackage): string {
  const { connectStrings: _, ...rest } = record;
  const all: ConnectStrings = Object.assign(
    {},
    ...(record.deployedComponents ?? []).flatMap((component) =>
      (component.installedCharts ?? []).map((chart) => chart.connectStrings ?? {})
    ),
  );
  return JSON.stringify(Object.keys(all).length === 0 ? rest : { ...rest, connectStrings: all });
}

/**
 * Joins the charts of an earlier run with those of this one, by namespace and release: Zarf never
 * forgets a release by itself (state.go MergeInstalledChartsForComponent).
 */
export function mergeInstalledCharts(
  earlier: readonly InstalledChart[],
  current: readonly InstalledChart[],
): InstalledChart[] {
  const merged = new Map<string, InstalledChart>();
  for (const chart of [...earlier, ...current]) {
    merged.set(`${chart.namespace}/${chart.chartName}`, chart);
  }
  return [...merged.values()];
}

const RecordSecretSchema = v.looseObject({ data: v.looseObject({ data: v.string() }) });

function parseRecord(secret: unknown, name: string): DeployedPackage {
  const parsed = v.safeParse(RecordSecretSchema, secret);
  const record = parsed.success
    ? parseRecordJson(decodeBase64(parsed.output.data.data) ?? "")
    : undefined;
  if (record !== undefined) return record;
  throw new ZarfError({
    reason: "PackageRecordInvalid",
    message: `Secret ${ZARF_NAMESPACE}/${name} is not a Zarf package record`,
    kept: "it was not changed",
    remedy: "restore the Secret from a backup, or delete it; the package is then deployed afresh",
    disposition: "wait",
  });
}

function parseRecordJson(json: string): DeployedPackage | undefined {
  try {
    return v.parse(DeployedPackageSchema, JSON.parse(json));
  } catch {
    return undefined;
  }
}
