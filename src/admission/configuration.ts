import { type Clock, systemClock } from "../std/mod.ts";
import type { KubeClient, KubeObject } from "../kube/mod.ts";

/** What happens to objects while the webhook does not answer: refused, or stored as they are. */
export type FailurePolicy = "Fail" | "Ignore";

/** What the configuration is made from. */
export interface WebhookParts {
  /** The CA in PEM. */
  readonly ca: string;
  /** Of the webhook on every control-plane node, for example `https://127.0.0.1:7471/mutate/pod`. */
  readonly url: string;
  readonly failurePolicy: FailurePolicy;
}

const REF = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  name: "holdfast",
} as const;
const WEBHOOK = "pods.holdfast.dev";
/** Seconds that an object may wait for the webhook. */
const TIMEOUT = 3;

const NOT_OPTED_OUT = { key: "zarf.dev/agent", operator: "NotIn", values: ["skip", "ignore"] };

interface WebhookConfiguration extends KubeObject {
  webhooks?: { name?: string; [field: string]: unknown }[];
}

/**
 * The configuration with every default spelled out, so that it can be compared with what the API
 * server holds. What it selects is Zarf's choice (packages/zarf-agent/chart/templates/webhook.yaml).
 */
export function webhookConfiguration(parts: WebhookParts): WebhookConfiguration {
  return {
    apiVersion: REF.apiVersion,
    kind: REF.kind,
    metadata: { name: REF.name, labels: { "app.kubernetes.io/managed-by": "holdfast" } },
    webhooks: [{
      name: WEBHOOK,
      admissionReviewVersions: ["v1"],
      clientConfig: { url: parts.url, caBundle: btoa(parts.ca) },
      failurePolicy: parts.failurePolicy,
      matchPolicy: "Equivalent",
      namespaceSelector: {
        matchExpressions: [
          { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system"] },
          NOT_OPTED_OUT,
        ],
      },
      objectSelector: {
        matchExpressions: [
          NOT_OPTED_OUT,
          { key: "svccontroller.k3s.cattle.io/svcname", operator: "DoesNotExist" },
        ],
      },
      // A webhook after this one may add a container.
      reinvocationPolicy: "IfNeeded",
      rules: [{
        apiGroups: [""],
        apiVersions: ["v1"],
        operations: ["CREATE", "UPDATE"],
        resources: ["pods", "pods/ephemeralcontainers"],
        scope: "*",
      }],
      sideEffects: "None",
      timeoutSeconds: TIMEOUT,
    }],
  };
}

/** What {@linkcode ensureWebhook} works with. */
export interface EnsureWebhookOptions {
  readonly ca: string;
  readonly url: string;
  /** Where the proving pod is (not) made; the webhook has to cover it. @default "zarf" */
  readonly probeNamespace?: string;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/**
 * `enforced`: the API server reaches the webhook, and no pod gets by it. `unreachable`: the
 * configuration is there but lets pods through as they are, because the API server that answered does
 * not reach a webhook at the URL; call again.
 */
export type WebhookState = "enforced" | "unreachable";

/** How often, and every how many milliseconds, the proof is tried: a new configuration needs a moment. */
const PROOFS = 10;
const PROOF_INTERVAL = 300;

/**
 * Makes the API server call the webhook. A pod must never be refused because of a webhook that nobody
 * can reach, so it starts with failure policy `Ignore`, becomes `Fail` only when a pod made with
 * `dryRun` came back changed, and stays `Ignore` otherwise. Safe to call again at any time; while
 * everything is as it should be it reads once and writes nothing.
 *
 * @throws {KubeError}
 */
export async function ensureWebhook(
  kube: KubeClient,
  options: EnsureWebhookOptions,
): Promise<WebhookState> {
  const { ca, url, probeNamespace = "zarf", signal, clock = systemClock } = options;
  const call = signal === undefined ? {} : { signal };
  const actual = await kube.get<WebhookConfiguration>(REF, call);
  const enforcing = webhookConfiguration({ ca, url, failurePolicy: "Fail" });
  if (isAsWanted(actual, enforcing)) return "enforced";
  const trying = webhookConfiguration({ ca, url, failurePolicy: "Ignore" });
  if (!isAsWanted(actual, trying)) await kube.apply(trying, { ...call, force: true });
  for (let attempt = 0; attempt < PROOFS; attempt++) {
    if (attempt > 0) await clock.sleep(PROOF_INTERVAL, signal);
    signal?.throwIfAborted();
    if (await isReached(kube, probeNamespace, call)) {
      await kube.apply(enforcing, { ...call, force: true });
      return "enforced";
    }
  }
  return "unreachable";
}

/** Pods are stored as they are from now on; `false` when it was so already. */
export function removeWebhook(
  kube: KubeClient,
  options: { readonly signal?: AbortSignal } = {},
): Promise<boolean> {
  return kube.delete(REF, options);
}

function isAsWanted(
  actual: WebhookConfiguration | undefined,
  wanted: WebhookConfiguration,
): boolean {
  const [ours] = wanted.webhooks ?? [];
  const theirs = actual?.webhooks?.find(({ name }) => name === WEBHOOK);
  return theirs !== undefined && canonical(theirs) === canonical(ours);
}

/** JSON with its members in order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each) => {
    if (typeof each !== "object" || each === null || Array.isArray(each)) return each;
    return Object.fromEntries(Object.entries(each).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}

/** An image that no registry has; the pod is never stored. */
const PROBE_IMAGE = "holdfast.dev/admission-probe:1";

interface ProbePod extends KubeObject {
  spec: {
    automountServiceAccountToken: boolean;
    containers: { name: string; image: string; securityContext: unknown }[];
  };
}

async function isReached(
  kube: KubeClient,
  namespace: string,
  call: { readonly signal?: AbortSignal },
): Promise<boolean> {
  const pod: ProbePod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, generateName: "holdfast-admission-probe-" },
    spec: {
      automountServiceAccountToken: false,
      // As the strictest Pod Security level wants it.
      containers: [{
        name: "probe",
        image: PROBE_IMAGE,
        securityContext: {
          allowPrivilegeEscalation: false,
          capabilities: { drop: ["ALL"] },
          runAsNonRoot: true,
          seccompProfile: { type: "RuntimeDefault" },
        },
      }],
    },
  };
  const stored = await kube.create(pod, { ...call, dryRun: true });
  return stored.spec.containers.some(({ name, image }) =>
    name === "probe" && image !== PROBE_IMAGE
  );
}
