import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import type { KubeClient, KubeObject } from "../kube/mod.ts";
import { type Clock, type Logger, silentLogger, systemClock } from "../std/mod.ts";
import { AGENT_LABEL } from "../zarf/mod.ts";
import { proveWebhook } from "./proof.ts";

/** The name of the MutatingWebhookConfiguration. */
export const WEBHOOK_CONFIGURATION = "holdfast";
/** The one webhook in it. */
const WEBHOOK = "pods.holdfast.dev";
/** Seconds that the API server waits for an answer; usual are a few milliseconds. */
const TIMEOUT_SECONDS = 3;

const REF = {
  apiVersion: "admissionregistration.k8s.io/v1",
  kind: "MutatingWebhookConfiguration",
  name: WEBHOOK_CONFIGURATION,
} as const;

/** What becomes of a pod while the webhook does not answer: it is refused, or stored as it is. */
export type FailurePolicy = "Fail" | "Ignore";

/** What the configuration is made from. */
export interface WebhookParts {
  /** The webhook on the API server's own node: `https://127.0.0.1:<port>/mutate/pod`. */
  readonly url: string;
  /** The CA that signed its certificate, PEM. */
  readonly caBundle: string;
}

/**
 * The configuration, with every field that the API server would otherwise fill in, so that it can be
 * compared with what is stored. Which objects it selects is Zarf's choice (Zarf 0.84,
 * packages/zarf-agent/chart/templates/webhook.yaml).
 */
export function webhookConfiguration(
  { url, caBundle }: WebhookParts,
  failurePolicy: FailurePolicy,
): KubeObject {
  const notOptedOut = { key: AGENT_LABEL, operator: "NotIn", values: ["skip", "ignore"] };
  return {
    apiVersion: REF.apiVersion,
    kind: REF.kind,
    metadata: {
      name: WEBHOOK_CONFIGURATION,
      labels: { "app.kubernetes.io/managed-by": "holdfast" },
    },
    webhooks: [{
      name: WEBHOOK,
      admissionReviewVersions: ["v1"],
      clientConfig: { url, caBundle: new TextEncoder().encode(caBundle).toBase64() },
      failurePolicy,
      matchPolicy: "Equivalent",
      namespaceSelector: {
        matchExpressions: [
          { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system"] },
          notOptedOut,
        ],
      },
      objectSelector: {
        matchExpressions: [
          notOptedOut,
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
      timeoutSeconds: TIMEOUT_SECONDS,
    }],
  };
}

/** What {@linkcode ensureWebhook} works with. */
export interface EnsureWebhookOptions extends WebhookParts {
  /** Where images are to come from; the pod of the proof has to come back with it. */
  readonly registryAddress: string;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/**
 * Whether the API server was seen to call the webhook. If so, no pod gets past it. If not, pods are
 * stored as they are while it does not answer, and `why` says what came of the proof.
 */
export type WebhookState =
  | { readonly proven: true }
  | { readonly proven: false; readonly why: string };

/**
 * Makes the API server call the webhook. It starts with failure policy `Ignore`, goes on to `Fail`
 * only when a pod that was created for trial (`dryRun`) came back changed, and stays at `Ignore`
 * otherwise: call it again then. A changed URL or CA begins anew. Safe to call at any time; it writes
 * nothing that is already so, and asks for no new proof where `Fail` is set.
 *
 * @throws {KubeError} when the configuration cannot be read or written.
 */
export async function ensureWebhook(
  kube: KubeClient,
  options: EnsureWebhookOptions,
): Promise<WebhookState> {
  const { url, logger = silentLogger, clock = systemClock, signal } = options;
  const call = signal === undefined ? {} : { signal };
  const actual = await kube.get(REF, call);
  const enforcing = webhookConfiguration(options, "Fail");
  if (isAsWanted(actual, enforcing)) return { proven: true };
  const trying = webhookConfiguration(options, "Ignore");
  if (!isAsWanted(actual, trying)) await kube.apply(trying, { ...call, force: true });
  const why = await proveWebhook(kube, options.registryAddress, { ...call, clock });
  if (why !== undefined) {
    logger.warn("the admission webhook is not enforced; pods are stored as they are", {
      url,
      why,
    });
    return { proven: false, why };
  }
  await kube.apply(enforcing, { ...call, force: true });
  logger.info("the admission webhook is enforced", { url });
  return { proven: true };
}

/** Takes the configuration away; `false` when there was none. Pods are stored as they are then. */
export function removeWebhook(
  kube: KubeClient,
  options: { readonly signal?: AbortSignal } = {},
): Promise<boolean> {
  return kube.delete(REF, options);
}

const ConfigurationSchema = v.looseObject({
  webhooks: v.nullish(v.array(v.looseObject({ name: v.string() }))),
});

function isAsWanted(actual: unknown, wanted: KubeObject): boolean {
  return isDeepStrictEqual(ourWebhook(actual), ourWebhook(wanted));
}

/** What others put into the configuration beside it is theirs. */
function ourWebhook(configuration: unknown): unknown {
  const parsed = v.safeParse(ConfigurationSchema, configuration);
  const webhooks = parsed.success ? parsed.output.webhooks : undefined;
  return webhooks?.find(({ name }) => name === WEBHOOK);
}
