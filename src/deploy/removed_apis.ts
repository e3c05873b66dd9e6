import { type KubeClient, KubeError, type KubeObject, servedKinds } from "../kube/mod.ts";
import { releaseHistory, type Revision } from "./release.ts";
import { releaseData, type StoredRelease, storedRelease } from "./release_secret.ts";
import {
  entryOf,
  type Node,
  parseDocuments,
  printDocument,
  removeEntry,
  scalarAt,
  setString,
} from "./yaml.ts";

/**
 * API versions that Kubernetes has removed: what took their place, and of which kinds; nothing took the
 * place of "" (Zarf 0.84 uses fairwindsops/pluto 5.24.3, versions.yaml, component k8s).
 */
const REMOVED: readonly (readonly [from: string, to: string, kinds: string])[] = [
  ["extensions/v1beta1", "apps/v1", "Deployment DaemonSet ReplicaSet"],
  ["apps/v1beta2", "apps/v1", "Deployment StatefulSet DaemonSet ReplicaSet"],
  ["apps/v1beta1", "apps/v1", "Deployment StatefulSet ReplicaSet"],
  ["extensions/v1beta1", "networking.k8s.io/v1", "NetworkPolicy Ingress"],
  ["networking.k8s.io/v1beta1", "networking.k8s.io/v1", "Ingress IngressClass"],
  ["extensions/v1beta1", "policy/v1beta1", "PodSecurityPolicy"],
  ["policy/v1beta1", "", "PodSecurityPolicy"],
  ["policy/v1beta1", "policy/v1", "PodDisruptionBudget"],
  ["scheduling.k8s.io/v1beta1", "scheduling.k8s.io/v1", "PriorityClass"],
  ["scheduling.k8s.io/v1alpha1", "scheduling.k8s.io/v1", "PriorityClass"],
  ["apiextensions.k8s.io/v1beta1", "apiextensions.k8s.io/v1", "CustomResourceDefinition"],
  [
    "admissionregistration.k8s.io/v1beta1",
    "admissionregistration.k8s.io/v1",
    "MutatingWebhookConfiguration ValidatingWebhookConfiguration",
  ],
  [
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1",
    "ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding",
  ],
  [
    "rbac.authorization.k8s.io/v1alpha1",
    "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding ClusterRole Role RoleBinding",
  ],
  [
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "ClusterRoleBinding ClusterRole Role RoleBinding",
  ],
  ["node.k8s.io/v1beta1", "node.k8s.io/v1", "RuntimeClass"],
  ["autoscaling/v2beta1", "autoscaling/v2", "HorizontalPodAutoscaler"],
  ["autoscaling/v2beta2", "autoscaling/v2", "HorizontalPodAutoscaler"],
  ["batch/v1beta1", "batch/v1", "CronJob"],
  [
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "CSINode CSIDriver CSIStorageCapacity StorageClass VolumeAttachment VolumeAttributesClass",
  ],
  ["storage.k8s.io/v1alpha1", "storage.k8s.io/v1", "VolumeAttributesClass"],
  ["apiregistration.k8s.io/v1beta1", "apiregistration.k8s.io/v1", "APIService"],
  ["authentication.k8s.io/v1beta1", "authentication.k8s.io/v1", "TokenReview"],
  ["certificates.k8s.io/v1beta1", "certificates.k8s.io/v1", "CertificateSigningRequest"],
  ["coordination.k8s.io/v1beta1", "coordination.k8s.io/v1", "Lease"],
  ["events.k8s.io/v1beta1", "events.k8s.io/v1", "Event"],
  ["discovery.k8s.io/v1beta1", "discovery.k8s.io/v1", "EndpointSlice"],
  ...["v1beta1", "v1beta2"].map((version) =>
    [
      `flowcontrol.apiserver.k8s.io/${version}`,
      "flowcontrol.apiserver.k8s.io/v1beta3",
      "FlowSchema PriorityLevelConfiguration",
    ] as const
  ),
  [
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "flowcontrol.apiserver.k8s.io/v1",
    "FlowSchema PriorityLevelConfiguration",
  ],
  [
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1beta2",
    "ResourceSlice ResourceClaim DeviceClass ResourceClaimTemplate",
  ],
  [
    "resource.k8s.io/v1alpha3",
    "resource.k8s.io/v1",
    "ResourceSlice ResourceClaim DeviceClass ResourceClaimTemplate",
  ],
  [
    "storagemigration.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1beta1",
    "StorageVersionMigration",
  ],
];

const REPLACEMENTS: ReadonlyMap<string, string> = new Map(
  REMOVED.flatMap(([from, to, kinds]) =>
    kinds.split(" ").map((kind) => [`${from} ${kind}`, to] as const)
  ),
);

/** What Helm's history says of such a revision (Zarf 0.84, helm/chart.go migrateDeprecatedAPIs). */
const DESCRIPTION = "Kubernetes deprecated API upgrade - DO NOT rollback from this version";

/** A manifest whose objects the API server has, and what was changed. */
export interface MovedManifest {
  readonly manifest: string;
  /** `policy/v1beta1 PodDisruptionBudget web`, each that was moved or is left out. */
  readonly moved: readonly string[];
}

/**
 * A manifest with API versions that the cluster serves in the place of those that it does not any
 * more; undefined where nothing has to be changed.
 *
 * @param serves whether the cluster has `policy/v1 PodDisruptionBudget`.
 */
export function movedManifest(
  manifest: string,
  serves: (kind: string) => boolean,
): MovedManifest | undefined {
  const moved: string[] = [];
  const documents = parseDocuments(manifest).filter(({ contents }) =>
    moveNode(contents, serves, moved)
  );
  if (moved.length === 0) return undefined;
  return { manifest: documents.map(printDocument).join(""), moved };
}

/** @returns whether the object stays. */
function moveNode(
  node: Node | null,
  serves: (kind: string) => boolean,
  moved: string[],
): boolean {
  if (node?.kind !== "mapping") return true;
  const kind = scalarAt(node, "kind") ?? "";
  const items = kind.endsWith("List") ? entryOf(node, "items") : undefined;
  if (items?.kind === "sequence") {
    items.items = items.items.filter((item) => moveNode(item, serves, moved));
    return true;
  }
  const from = scalarAt(node, "apiVersion") ?? "";
  const to = replacementOf(from, kind, serves);
  if (to === from) return true;
  moved.push(`${from} ${kind} ${scalarAt(node, "metadata", "name") ?? ""}`);
  removeEntry(node, "apiVersion");
  setString(node, "apiVersion", to);
  return to !== "";
}

/** Where the cluster has it now; "" where nothing took its place. */
function replacementOf(from: string, kind: string, serves: (kind: string) => boolean): string {
  let version = from;
  while (version !== "" && !serves(`${version} ${kind}`)) {
    const next = REPLACEMENTS.get(`${version} ${kind}`);
    if (next === undefined) return version;
    version = next;
  }
  return version;
}

/** The revision that Helm goes on from, with a manifest that it can read. */
interface Removed extends MovedManifest {
  readonly revision: Revision;
  readonly secret: KubeObject;
  readonly release: StoredRelease;
}

/**
 * Looks whether the revision that Helm would go on from names API versions that the cluster does not
 * serve any more: Helm refuses every upgrade then ("unable to build kubernetes objects from current
 * release manifest").
 */
export async function findRemovedApis(
  kube: KubeClient,
  namespace: string,
  history: readonly Revision[],
): Promise<Removed | undefined> {
  const revision = history.findLast(({ status }) => status === "deployed") ?? history.at(-1);
  if (revision === undefined) return undefined;
  const name = revision.secret;
  const secret = await kube.get({ apiVersion: "v1", kind: "Secret", namespace, name });
  const release = storedRelease(secret);
  if (secret === undefined || release === undefined) return undefined;
  const { manifest = "" } = release;
  const serves = await servedBy(kube, manifest);
  const moved = serves && read(() => movedManifest(manifest, serves));
  return moved && { ...moved, revision, secret, release };
}

/** Undefined where nothing may have been removed, and nobody has to be asked. */
async function servedBy(
  kube: KubeClient,
  manifest: string,
): Promise<((kind: string) => boolean) | undefined> {
  if (!REMOVED.some(([from]) => manifest.includes(from))) return undefined;
  try {
    const served = new Set(
      (await servedKinds(kube)).map(({ group, version, kind }) =>
        `${group === "" ? version : `${group}/${version}`} ${kind}`
      ),
    );
    return (kind) => served.has(kind);
  } catch (error) {
    // Helm says what is wrong with the cluster.
    if (error instanceof KubeError) return undefined;
    throw error;
  }
}

/** What cannot be read is Helm's to name. */
function read<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch {
    return undefined;
  }
}

/**
 * Writes a revision of the same release with the API versions of today, as Zarf does before an upgrade
 * (Zarf 0.84, helm/chart.go migrateDeprecatedAPIs). Objects are not touched: in the cluster they have
 * been of the new version all the time.
 *
 * @param history of the release; @returns what it is then.
 */
export async function moveRemovedApis(
  kube: KubeClient,
  namespace: string,
  name: string,
  history: readonly Revision[],
  now: Date,
): Promise<readonly Revision[]> {
  const found = await findRemovedApis(kube, namespace, history);
  if (found === undefined) return history;
  const { release, secret, revision, manifest } = found;
  const version = (history.at(-1)?.revision ?? 0) + 1;
  const info = {
    ...release.info,
    ...{ status: "deployed", description: DESCRIPTION, last_deployed: now.toISOString() },
  };
  const { labels } = secret.metadata;
  await kube.create({
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: `sh.helm.release.v1.${name}.v${version}`,
      namespace,
      labels: { ...labels, status: "deployed", version: String(version) },
    },
    type: "helm.sh/release.v1",
    data: releaseData({ ...release, info, manifest, version }),
  } as KubeObject);
  // After it: of two that are deployed Helm takes the newer one, without any it would be lost.
  const before = { ...release, info: { ...release.info, status: "superseded" } };
  await kube.patch({ apiVersion: "v1", kind: "Secret", namespace, name: revision.secret }, {
    type: "merge",
    body: { metadata: { labels: { status: "superseded" } }, data: releaseData(before) },
  });
  return await releaseHistory(kube, namespace, name);
}
