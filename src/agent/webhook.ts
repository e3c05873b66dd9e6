import { createAdmission, serveAdmission } from "../admission/mod.ts";
import type { Logger } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import type { ClusterFacts } from "./cluster_facts.ts";
import { keepListening, type Part } from "./listeners.ts";
import { type Settings, splitAddress } from "./settings.ts";
import { whenAborted } from "./signals.ts";
import { siteSource } from "./site.ts";

/** What {@linkcode serveWebhook} works with. */
export interface WebhookOptions {
  readonly settings: Settings;
  readonly facts: ClusterFacts;
  readonly store: Store;
  readonly part: Part;
  readonly logger: Logger;
}

/** The webhook listens as soon as there is a certificate, and anew when there is another one. */
export async function serveWebhook(options: WebhookOptions, signal: AbortSignal): Promise<void> {
  const { settings, facts, store, part, logger } = options;
  if (settings["image-mode"] !== "rewrite") {
    part.set(true, "images are not rewritten in this mode");
    return;
  }
  const address = splitAddress(settings["admission-address"]);
  const handler = createAdmission({ site: siteSource(settings, facts, store), logger });
  while (!signal.aborted) {
    const { tlsChanged } = facts;
    const { tls } = facts.current;
    if (tls === undefined) {
      await whenAborted(signal, tlsChanged);
      continue;
    }
    const open = (signal: AbortSignal) => serveAdmission(handler, { ...address, tls, signal });
    await keepListening(part, open, { logger, signal: AbortSignal.any([signal, tlsChanged]) });
  }
}
