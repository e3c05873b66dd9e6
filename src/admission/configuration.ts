import type { KubeObject } from "../kube/mod.ts";
import { kindsWithout, type MutatedKind, type MutationExclusion, pathOf } from "./kinds.ts";
import type { MutationPolicy } from "./policy.ts";
import { type Selectors, selectorsOf } from "./selection.ts";

/** The name of the MutatingWebhookConfiguration. */
export const WEBHOOK_CONFIGURATION = "holdfast";
/** How the names of its webhooks end; what is called otherwise is somebody else's. */
export const WEBHOOK_SUFFIX = ".holdfast.dev";
/** Seconds that the API server waits for an answer; usual are a few milliseconds. */
const TIMEOUT_SECONDS = 3;

/** The configuration, to read and write it. */
export const CONFIGURATION_REF = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  name: WEBHOOK_CONFIGURATION,
} as const;

/** What the configuration is made from. */
export interface WebhookParts {
  /** Where the webhook listens on the API server's own node: `127.0.0.1:<port>`. */
  readonly address: string;
  /** The CA that signed its certificate, PEM; several while one takes the other's place. */
  readonly caBundle: string;
  /** Zarf's `agentMutationPolicy`. */
  readonly policy: MutationPolicy;
  /** @default none */
  readonly exclusions?: readonly MutationExclusion[];
}

/**
 * The configuration, with every field that the API server would otherwise fill in, so that it can be
 * compared with what is stored. No webhook is insisted on (`Ignore`): an agent mends what slipped
 * through, docs/decisions/webhook-failure-policy.md says why.
 */
export function webhookConfiguration(parts: WebhookParts): KubeObject {
  const webhooks = kindsWithout(parts.exclusions ?? []).flatMap((kind) =>
    selectorsOf(kind, parts.policy).map((selectors) => webhookOf(kind, selectors, parts))
  );
  return {
    apiVersion: CONFIGURATION_REF.apiVersion,
    kind: CONFIGURATION_REF.kind,
    metadata: {
      name: WEBHOOK_CONFIGURATION,
      labels: { "app.kubernetes.io/managed-by": "holdfast" },
    },
    webhooks,
  };
}

function webhookOf(
  kind: MutatedKind,
  { suffix, namespace, object, conditions = [] }: Selectors,
  { address, caBundle }: WebhookParts,
): Record<string, unknown> {
  const matchConditions = [...kind.conditions ?? [], ...conditions];
  return {
    name: `${kind.name}${suffix}${WEBHOOK_SUFFIX}`,
    admissionReviewVersions: ["v1", "v1beta1"],
    clientConfig: {
      url: `https://${address}${pathOf(kind)}`,
      caBundle: new TextEncoder().encode(caBundle).toBase64(),
    },
    failurePolicy: "Ignore",
    ...(matchConditions.length === 0 ? {} : { matchConditions }),
    matchPolicy: "Equivalent",
    namespaceSelector: { matchExpressions: namespace },
    objectSelector: { matchExpressions: object },
    // A webhook after this one may add a container.
    reinvocationPolicy: "IfNeeded",
    rules: [{
      apiGroups: [kind.group],
      apiVersions: kind.versions,
      operations: ["CREATE", "UPDATE"],
      resources: kind.resources,
      scope: "*",
    }],
    sideEffects: "None",
    timeoutSeconds: TIMEOUT_SECONDS,
  };
}
