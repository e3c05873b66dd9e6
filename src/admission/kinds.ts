/** What `--mutation-exclusion` leaves to others (Zarf 0.84, AGENT_MUTATION_EXCLUSIONS). */
export const MUTATION_EXCLUSIONS = ["flux", "argocd"] as const;
/** One of {@linkcode MUTATION_EXCLUSIONS}. */
export type MutationExclusion = typeof MUTATION_EXCLUSIONS[number];

/** One requirement of a label selector (meta/v1, LabelSelectorRequirement). */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "DoesNotExist";
  readonly values?: readonly string[];
}

/** A condition that the API server asks before it asks the webhook (CEL). */
export interface MatchCondition {
  readonly name: string;
  readonly expression: string;
}

/** A kind of object that the webhook is asked about. */
export interface MutatedKind {
  /** Lower case, unique: the last part of the path and the first of the webhook's name. */
  readonly name: string;
  readonly kind: string;
  /** `""` is the core group. */
  readonly group: string;
  readonly versions: readonly string[];
  readonly resources: readonly string[];
  readonly exclusion?: MutationExclusion;
  /** Which objects of the kind are meant, beside those that opted out. */
  readonly objects?: readonly LabelRequirement[];
  readonly conditions?: readonly MatchCondition[];
}

/** A pod that K3s' load balancer runs for a Service. */
const K3S_SERVICE_LABEL = "svccontroller.k3s.cattle.io/svcname";
/** What a Secret is to Argo CD. */
export const ARGOCD_SECRET_LABEL = "argocd.argoproj.io/secret-type";
/** The values of {@linkcode ARGOCD_SECRET_LABEL} that are about repositories. */
export const ARGOCD_SECRET_TYPES = ["repository", "repo-creds"] as const;

/**
 * What a pod must be for the webhook to be asked. A mirror pod is run from a file of the kubelet's,
 * whatever is said about it. An update that leaves `spec` as it is names no new image: it must not
 * wait for an agent that hangs, as controllers make many of them (finalizers of Jobs, labels).
 */
const POD_CONDITIONS: readonly MatchCondition[] = [
  {
    name: "no-mirror-pod",
    expression: "!has(object.metadata.annotations) || " +
      "!('kubernetes.io/config.mirror' in object.metadata.annotations)",
  },
  {
    name: "spec-is-new",
    expression: "request.operation != 'UPDATE' || object.spec != oldObject.spec",
  },
];

const FLUX = { group: "source.toolkit.fluxcd.io", exclusion: "flux" } as const;
const ARGOCD = { group: "argoproj.io", versions: ["v1alpha1"], exclusion: "argocd" } as const;

/**
 * Everything that is changed on its way into the cluster, as in Zarf 0.84,
 * packages/zarf-agent/chart/templates/webhook.yaml. That a kind is not there does no harm.
 */
export const MUTATED_KINDS: readonly MutatedKind[] = [
  {
    name: "pod",
    kind: "Pod",
    group: "",
    versions: ["v1"],
    resources: ["pods", "pods/ephemeralcontainers"],
    objects: [{ key: K3S_SERVICE_LABEL, operator: "DoesNotExist" }],
    conditions: POD_CONDITIONS,
  },
  {
    ...FLUX,
    name: "flux-ocirepository",
    kind: "OCIRepository",
    versions: ["*"],
    resources: ["ocirepositories"],
  },
  {
    ...FLUX,
    name: "flux-helmrepository",
    kind: "HelmRepository",
    versions: ["*"],
    resources: ["helmrepositories"],
  },
  {
    ...FLUX,
    name: "flux-gitrepository",
    kind: "GitRepository",
    versions: ["v1beta1", "v1beta2", "v1"],
    resources: ["gitrepositories"],
  },
  { ...ARGOCD, name: "argocd-application", kind: "Application", resources: ["applications"] },
  {
    ...ARGOCD,
    name: "argocd-applicationset",
    kind: "ApplicationSet",
    resources: ["applicationsets"],
  },
  {
    name: "argocd-repository",
    kind: "Secret",
    group: "",
    versions: ["v1"],
    resources: ["secrets"],
    exclusion: "argocd",
    objects: [{ key: ARGOCD_SECRET_LABEL, operator: "In", values: ARGOCD_SECRET_TYPES }],
  },
  { ...ARGOCD, name: "argocd-appproject", kind: "AppProject", resources: ["appprojects"] },
];

/** {@linkcode MUTATED_KINDS} without those that somebody else changes. */
export function kindsWithout(exclusions: readonly MutationExclusion[]): readonly MutatedKind[] {
  return MUTATED_KINDS.filter(({ exclusion }) =>
    exclusion === undefined || !exclusions.includes(exclusion)
  );
}

/** The path that the API server posts to. */
export function pathOf({ name }: MutatedKind): string {
  return `/mutate/${name}`;
}
