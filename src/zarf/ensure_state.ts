import * as v from "valibot";
import type { KubeClient } from "../kube/mod.ts";
import { type Clock, systemClock } from "../std/mod.ts";
import { ZarfError } from "./errors.ts";
import { AGENT_LABEL, MANAGED_BY_LABEL, MANAGED_BY_ZARF, ZARF_NAMESPACE } from "./names.ts";
import { hasLabels } from "./objects.ts";
import { loadState, newState, type NewStateOptions, saveState, type ZarfState } from "./state.ts";

/** How long Kubernetes may take to give a new namespace its ServiceAccount (cluster.go: 2 min). */
const SERVICE_ACCOUNT_TIMEOUT = 120_000;
/** Milliseconds between two looks. */
const SERVICE_ACCOUNT_INTERVAL = 500;

/** What {@linkcode ensureState} works with. */
export interface EnsureStateOptions extends NewStateOptions {
  /**
   * Labels for namespace `zarf` beyond Zarf's own two, for example
   * `pod-security.kubernetes.io/enforce: privileged` where the registry uses a host path.
   */
  readonly namespaceLabels?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
}

/**
 * Makes sure that namespace `zarf` and the state are there, and returns the state. Safe to call at
 * any time and again after a crash at any point; it writes nothing when nothing is missing, and
 * credentials that exist never change.
 *
 * Before the first state is saved, every namespace that exists by then, `zarf` excepted, is labelled
 * `zarf.dev/agent=ignore`, so that what already runs stays as it is (cluster.go InitState step 5).
 * Once there is a state, no namespace is labelled again.
 *
 * @throws {ZarfError} `StateInvalid` or `ServiceAccountMissing`; nothing that existed was changed.
 */
export async function ensureState(
  kube: KubeClient,
  options: EnsureStateOptions,
): Promise<ZarfState> {
  await ensureZarfNamespace(kube, options.namespaceLabels ?? {});
  const existing = await loadState(kube);
  if (existing !== undefined) return existing;
  await waitForServiceAccount(kube, options.clock ?? systemClock, options.signal);
  await ignoreExistingNamespaces(kube);
  const state = newState(options);
  await saveState(kube, state);
  return state;
}

/** Makes namespace `zarf` be there with Zarf's labels and `extra`; writes only what is missing. */
export async function ensureZarfNamespace(
  kube: KubeClient,
  extra: Readonly<Record<string, string>> = {},
): Promise<void> {
  const labels = { [MANAGED_BY_LABEL]: MANAGED_BY_ZARF, [AGENT_LABEL]: "mutate", ...extra };
  const ref = { apiVersion: "v1", kind: "Namespace", name: ZARF_NAMESPACE };
  if (hasLabels(await kube.get(ref), labels)) return;
  await kube.apply({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: ZARF_NAMESPACE, labels },
  }, { force: true });
}

async function waitForServiceAccount(
  kube: KubeClient,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<void> {
  const ref = { apiVersion: "v1", kind: "ServiceAccount", namespace: ZARF_NAMESPACE };
  const deadline = clock.monotonic() + SERVICE_ACCOUNT_TIMEOUT;
  while (await kube.get({ ...ref, name: "default" }) === undefined) {
    signal?.throwIfAborted();
    if (clock.monotonic() >= deadline) {
      throw new ZarfError({
        reason: "ServiceAccountMissing",
        message: `namespace ${ZARF_NAMESPACE} got no ServiceAccount "default" within ` +
          `${SERVICE_ACCOUNT_TIMEOUT / 1000} s`,
        kept: "no credentials were made",
        remedy: "check that kube-controller-manager runs",
        disposition: "retry",
      });
    }
    await clock.sleep(SERVICE_ACCOUNT_INTERVAL, signal);
  }
}

const NamespaceSchema = v.looseObject({ metadata: v.looseObject({ name: v.string() }) });

async function ignoreExistingNamespaces(kube: KubeClient): Promise<void> {
  const labels = { [AGENT_LABEL]: "ignore" };
  const { items } = await kube.list({ apiVersion: "v1", kind: "Namespace" });
  for (const item of items) {
    const { name } = v.parse(NamespaceSchema, item).metadata;
    if (name === ZARF_NAMESPACE || hasLabels(item, labels)) continue;
    // A merge patch of one label cannot lose what others write meanwhile, as Zarf's Update can.
    await kube.patch({ apiVersion: "v1", kind: "Namespace", name }, {
      type: "merge",
      body: { metadata: { labels } },
    });
  }
}
