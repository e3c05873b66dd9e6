import type { KubeClient } from "../kube/mod.ts";
import { type Clock, type Logger, silentLogger } from "../std/mod.ts";
import { webhookConfiguration, type WebhookParts } from "./configuration.ts";
import { proveWebhook } from "./proof.ts";
import { loadStanding, putWebhooks, removeWebhooks } from "./standing.ts";

/** What {@linkcode ensureWebhook} works with. */
export interface EnsureWebhookOptions extends WebhookParts {
  /** Where images may come from; the pod of the proof has to come back with one of these. */
  readonly registryAddresses: readonly string[];
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/**
 * Whether the API server was seen to have pods rewritten, and by whose agent. If not, pods are stored
 * as they are, and `why` says what came of the proof.
 */
export type WebhookState =
  | { readonly proven: true; readonly by: "Holdfast" | "Zarf" }
  | { readonly proven: false; readonly why: string };

/**
 * Makes the API server call the webhooks, and proves with a pod that is created for trial (`dryRun`)
 * that it does. Where Zarf's own agent is installed that one is left to act: Holdfast's webhooks are
 * taken out, and the proof is that Zarf's agent rewrites. Webhooks that an agent took out because it
 * cannot serve stay out; it puts them back. Safe to call at any time; it writes nothing that is
 * already so.
 *
 * @throws {KubeError} when the configuration cannot be read or written.
 */
export async function ensureWebhook(
  kube: KubeClient,
  options: EnsureWebhookOptions,
): Promise<WebhookState> {
  const { logger = silentLogger, signal } = options;
  const call = signal === undefined ? {} : { signal };
  const { zarf, withdrawn } = await loadStanding(kube, call);
  if (zarf === undefined && withdrawn !== undefined) {
    const why = `the agent of node ${withdrawn.by} has taken it out: ${withdrawn.why}`;
    return { proven: false, why };
  }
  if (zarf !== undefined) await removeWebhooks(kube, call);
  else await putWebhooks(kube, webhookConfiguration(options), call);
  const by = zarf === undefined ? "Holdfast" : "Zarf";
  const why = await proveWebhook(kube, { ...options, agent: by });
  if (why === undefined) return { proven: true, by };
  logger.warn("nobody was seen to rewrite pods; they are stored as they are", { agent: by, why });
  return { proven: false, why };
}
