import {
  AdmissionError,
  ensureAdmissionTls,
  ensureWebhook,
  type MutationExclusion,
  policyOf,
  removeWebhooks,
} from "../admission/mod.ts";
import { type BootstrapStage, ensureRegistry, type RegistryAccess } from "../bootstrap/mod.ts";
import { acquireLease, type KubeClient } from "../kube/mod.ts";
import type { Logger } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { ensureZarfNamespace, loadState, ZARF_NAMESPACE } from "../zarf/mod.ts";

/** The Lease of whoever may write; held only while there is something to write. */
export const LEASE_NAME = "holdfast";

/** What is being done before the work. */
export type LeadStage = BootstrapStage | "Lease" | "Admission";

/** What leading works with. */
export interface LeadOptions {
  readonly kube: KubeClient;
  readonly store: Store;
  readonly logger: Logger;
  readonly nodeName: string;
  readonly registryAddress: string;
  /** Where the API server reaches the webhook on its own node. */
  readonly admissionAddress: string;
  readonly rewrite: boolean;
  /** What the webhook leaves to others. @default nothing */
  readonly exclusions?: readonly MutationExclusion[];
  readonly onStage: (stage: LeadStage, detail: string) => void;
}

/**
 * Takes the lease, brings the cluster to a registry that answers and a webhook that works, calls
 * `work`, and gives the lease back. The signal that `work` gets aborts when the lease is lost.
 *
 * @throws what keeps the cluster from being prepared: `work` is then not called.
 */
export async function lead(
  options: LeadOptions,
  work: (access: RegistryAccess, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const { kube, logger, nodeName, onStage } = options;
  onStage("Lease", "asking for the lease");
  await ensureZarfNamespace(kube);
  const lease = await acquireLease(kube, {
    namespace: ZARF_NAMESPACE,
    name: LEASE_NAME,
    identity: nodeName,
    signal,
    logger,
  });
  const leading = AbortSignal.any([signal, lease.lost]);
  try {
    const access = await ensureRegistry({
      kube,
      store: options.store,
      logger,
      registryAddress: options.registryAddress,
      pullSecrets: options.rewrite,
      onStage,
      signal: leading,
    });
    await admit(options, leading);
    await work(access, leading);
  } finally {
    await lease.release();
  }
}

/**
 * Makes the webhook's certificate and puts the webhook in, if images are rewritten at all; takes it
 * out where they are not.
 *
 * @throws {AdmissionError} `WebhookNotAnswering`.
 */
async function admit(options: LeadOptions, signal: AbortSignal): Promise<void> {
  const { kube, logger, onStage } = options;
  onStage("Admission", "putting the webhook in");
  if (!options.rewrite) {
    await removeWebhooks(kube, { signal });
    return;
  }
  const tls = await ensureAdmissionTls(kube);
  const zarf = await loadState(kube);
  const state = await ensureWebhook(kube, {
    address: options.admissionAddress,
    caBundle: tls.ca,
    policy: policyOf(zarf?.agentMutationPolicy ?? ""),
    exclusions: options.exclusions ?? [],
    registryAddresses: [options.registryAddress, zarf?.registryInfo.address ?? ""],
    logger,
    signal,
  });
  if (!state.proven) throw notAnswering(state.why);
}

/** A pod that is stored with its own image now pulls from outside before it is mended. */
function notAnswering(why: string): AdmissionError {
  return new AdmissionError({
    reason: "WebhookNotAnswering",
    message: `the admission webhook is not answering: ${why}`,
    kept: "nothing is deployed meanwhile: its pods would name images that cannot be pulled",
    remedy: "see what keeps the webhook of the API server's node from listening, or use " +
      "--image-mode mirror",
    disposition: "wait",
  });
}
