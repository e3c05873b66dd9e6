import { createHash } from "node:crypto";
import { hashSync } from "bcryptjs";
import type { KubeObject } from "../kube/mod.ts";
import { REGISTRY_PORT, REGISTRY_SERVICE, ZARF_NAMESPACE, type ZarfState } from "../zarf/mod.ts";

/** The user and the group that the registry runs as (Zarf 0.84, packages/zarf-registry). */
export const REGISTRY_UID = 1000;
export const REGISTRY_GID = 2000;
/** Zarf's name of the Secret with configuration and htpasswd file. */
export const REGISTRY_SECRET = "zarf-docker-registry-secret";
/**
 * bcrypt's cost for the htpasswd file. Zarf's chart has 10, which the registry pays for every request
 * (some 50 ms); a high cost is for passwords that can be guessed, and these are 24 random characters.
 */
const BCRYPT_COST = 4;

const LABELS = { app: "docker-registry", release: REGISTRY_SERVICE } as const;
const MANAGED = { ...LABELS, "app.kubernetes.io/managed-by": "zarf" } as const;

/** What an init package may say about the registry's pod; whatever is left out is as usual. */
export interface RegistryWishes {
  readonly requests?: { readonly cpu?: string; readonly memory?: string };
  readonly limits?: { readonly cpu?: string; readonly memory?: string };
  /** Where traces go (`OTEL_TRACES_EXPORTER`). @default none */
  readonly tracesExporter?: string;
  /** Beside the registry's own, which win. */
  readonly env?: readonly { readonly name: string; readonly [field: string]: unknown }[];
  /** Beside the registry's own. */
  readonly tolerations?: readonly Readonly<Record<string, unknown>>[];
}

/** What the registry's objects are made from. */
export interface RegistryPlan {
  /** The image as the kubelet pulls it: `127.0.0.1:31999/library/registry:3.1.2@sha256:…`. */
  readonly image: string;
  /** The directory on each node that holds the registry's storage. */
  readonly storageDir: string;
  readonly state: ZarfState;
  readonly wishes?: RegistryWishes;
  /** The node whose directory has what was pushed; the registry stays there while it can. */
  readonly home?: string;
}

/** On Deployment and Pod: a hash of everything that the registry's pod is made from but its node. */
export const PLAN_ANNOTATION = "holdfast.dev/registry-plan";

/** {@linkcode PLAN_ANNOTATION} of a plan. */
export function planMark(plan: RegistryPlan): string {
  const { home: _, ...rest } = plan;
  const text = JSON.stringify([credentialsMark(plan.state), podSpec(rest)]);
  return createHash("sha256").update(text).digest("hex");
}

/** The pod that serves while the registry's own one is replaced. */
export const NEXT_POD = "zarf-docker-registry-next";
/** Labels of that pod alone. */
export const NEXT_LABELS: Readonly<Record<string, string>> = { "holdfast.dev/registry": "next" };

/** That pod, on the node that has the storage. */
export function nextRegistryPod(plan: RegistryPlan, home: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: NEXT_POD,
      namespace: ZARF_NAMESPACE,
      labels: { ...MANAGED, ...NEXT_LABELS, "zarf.dev/agent": "ignore" },
      annotations: { [PLAN_ANNOTATION]: planMark(plan) },
    },
    spec: {
      ...podSpec(plan),
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [onNode(home)] },
        },
      },
    },
  };
}

/** As a DaemonSet's pods are bound: by the node's name, whatever its labels are. */
function onNode(name: string) {
  return { matchFields: [{ key: "metadata.name", operator: "In", values: [name] }] };
}

/**
 * The Service of the registry, under Zarf's name and labels.
 *
 * @param labels of the pods that serve, beside Zarf's. @default all of the registry's pods serve
 */
export function registryService(labels: Readonly<Record<string, string>> = {}): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: REGISTRY_SERVICE, namespace: ZARF_NAMESPACE, labels: { ...MANAGED } },
    spec: {
      type: "ClusterIP",
      ipFamilyPolicy: "PreferDualStack",
      selector: { ...LABELS, ...labels },
      ports: [{
        name: "http-5000",
        port: REGISTRY_PORT,
        targetPort: REGISTRY_PORT,
        protocol: "TCP",
      }],
    },
  };
}

/**
 * The Secret with the registry's configuration and its two users. bcrypt salts every hash anew, so
 * the caller keeps an existing Secret whose `holdfast.dev/credentials` annotation is still right.
 */
export function registrySecret(state: ZarfState): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Secret",
    type: "Opaque",
    metadata: {
      name: REGISTRY_SECRET,
      namespace: ZARF_NAMESPACE,
      labels: { ...MANAGED },
      annotations: { [CREDENTIALS_ANNOTATION]: credentialsMark(state) },
    },
    stringData: {
      configData: JSON.stringify(registryConfig(state)),
      htpasswd: htpasswd(state),
    },
  };
}

/** On the Secret: a hash of the credentials that its htpasswd file was made from. */
export const CREDENTIALS_ANNOTATION = "holdfast.dev/credentials";

/** A hash that changes when the credentials do, and from which they cannot be found. */
export function credentialsMark(state: ZarfState): string {
  const { pushUsername, pushPassword, pullUsername, pullPassword, secret } = state.registryInfo;
  const text = JSON.stringify([pushUsername, pushPassword, pullUsername, pullPassword, secret]);
  return createHash("sha256").update(text).digest("hex");
}

/** The Deployment of the registry: Zarf's, but with a directory of the node as its storage. */
export function registryDeployment(plan: RegistryPlan): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: {
      name: REGISTRY_SERVICE,
      namespace: ZARF_NAMESPACE,
      labels: { ...MANAGED },
      annotations: { [PLAN_ANNOTATION]: planMark(plan) },
    },
    spec: {
      replicas: 1,
      selector: { matchLabels: { ...LABELS } },
      // A second one could be put on another node, whose directory is empty.
      strategy: { type: "Recreate" },
      template: {
        metadata: {
          labels: { ...LABELS, "zarf.dev/agent": "ignore" },
          annotations: {
            "checksum/secret": credentialsMark(plan.state),
            [PLAN_ANNOTATION]: planMark(plan),
          },
        },
        spec: { ...podSpec(plan), ...preferring(plan.home) },
      },
    },
  };
}

function preferring(home: string | undefined) {
  if (home === undefined) return {};
  const preferred = [{ weight: 100, preference: onNode(home) }];
  return {
    affinity: { nodeAffinity: { preferredDuringSchedulingIgnoredDuringExecution: preferred } },
  };
}

/** How long requests that run may go on when the registry is told to end, in seconds. */
const DRAIN_SECONDS = 30;
/** How long it may take to end altogether, in seconds. */
const GRACE_SECONDS = DRAIN_SECONDS + 5;

/** How long the registry stays bound to a node that is gone, in seconds; Kubernetes' own is 300. */
const AWAY_SECONDS = 60;

/**
 * Where nothing but control planes exists, the registry must run there; and it must leave a node that
 * is gone sooner than others, because nobody can pull from it meanwhile.
 */
const TOLERATIONS = [
  { key: "node-role.kubernetes.io/control-plane", operator: "Exists", effect: "NoSchedule" },
  ...["not-ready", "unreachable"].map((state) => ({
    key: `node.kubernetes.io/${state}`,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: AWAY_SECONDS,
  })),
];

function podSpec(plan: RegistryPlan) {
  return {
    priorityClassName: "system-node-critical",
    automountServiceAccountToken: false,
    tolerations: [...TOLERATIONS, ...plan.wishes?.tolerations ?? []],
    terminationGracePeriodSeconds: GRACE_SECONDS,
    securityContext: {
      runAsUser: REGISTRY_UID,
      runAsGroup: REGISTRY_GID,
      fsGroup: REGISTRY_GID,
      seccompProfile: { type: "RuntimeDefault" },
    },
    containers: [container(plan)],
    volumes: [
      {
        name: "config",
        secret: {
          secretName: REGISTRY_SECRET,
          items: [{ key: "configData", path: "config.yml" }, { key: "htpasswd", path: "htpasswd" }],
        },
      },
      // The agent makes it, for the registry's user; where there is no agent there is no storage.
      { name: "data", hostPath: { path: plan.storageDir, type: "Directory" } },
    ],
  };
}

function container(plan: RegistryPlan) {
  const { requests, limits } = plan.wishes ?? {};
  const probe = { httpGet: { path: "/", port: REGISTRY_PORT }, timeoutSeconds: 2 };
  return {
    name: "docker-registry",
    image: plan.image,
    imagePullPolicy: "IfNotPresent",
    command: ["/bin/registry", "serve", "/etc/docker/registry/config.yml"],
    ports: [{ containerPort: REGISTRY_PORT, protocol: "TCP" }],
    env: environment(plan, {
      REGISTRY_AUTH: "htpasswd",
      REGISTRY_AUTH_HTPASSWD_REALM: "Registry Realm",
      REGISTRY_AUTH_HTPASSWD_PATH: "/etc/docker/registry/htpasswd",
      REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY: "/var/lib/registry",
      REGISTRY_STORAGE_DELETE_ENABLED: "true",
      REGISTRY_HTTP_DRAINTIMEOUT: `${DRAIN_SECONDS}s`,
    }),
    livenessProbe: { ...probe, periodSeconds: 10, failureThreshold: 6 },
    readinessProbe: { ...probe, periodSeconds: 1 },
    resources: {
      requests: { cpu: "50m", memory: "64Mi", ...requests },
      limits: { memory: "2Gi", ...limits },
    },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
    },
    volumeMounts: [
      { name: "data", mountPath: "/var/lib/registry" },
      { name: "config", mountPath: "/etc/docker/registry", readOnly: true },
    ],
  };
}

/** Without its own variables the registry has another storage, or lets anybody in: they win. */
function environment({ wishes = {} }: RegistryPlan, own: Readonly<Record<string, string>>) {
  const { env = [], tracesExporter: OTEL_TRACES_EXPORTER = "none" } = wishes;
  const all = { ...own, OTEL_TRACES_EXPORTER };
  return [
    ...Object.entries(all).map(([name, value]) => ({ name, value })),
    ...env.filter(({ name }) => !Object.hasOwn(all, name)),
  ];
}

/** distribution v3's configuration, as in Zarf's Secret but without the blob descriptor cache. */
function registryConfig(state: ZarfState) {
  return {
    version: "0.1",
    log: { fields: { service: "registry" } },
    http: {
      addr: `:${REGISTRY_PORT}`,
      secret: state.registryInfo.secret,
      headers: { "X-Content-Type-Options": ["nosniff"] },
    },
    // A cache remembers blobs that were deleted (distribution#2966); the disk's is good enough.
    storage: { filesystem: { rootdirectory: "/var/lib/registry" }, delete: { enabled: true } },
    health: { storagedriver: { enabled: true, interval: "10s", threshold: 3 } },
  };
}

function htpasswd(state: ZarfState): string {
  const { pushUsername, pushPassword, pullUsername, pullPassword } = state.registryInfo;
  return [[pushUsername, pushPassword], [pullUsername, pullPassword]]
    .map(([user, password]) => `${user}:${hashSync(password ?? "", BCRYPT_COST)}\n`)
    .join("");
}
