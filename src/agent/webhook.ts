import {
  type AdmissionServer,
  type AdmissionTls,
  createAdmission,
  serveAdmission,
} from "../admission/mod.ts";
import { type Clock, Complaints, describeError, type Logger, systemClock } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import type { ClusterFacts } from "./cluster_facts.ts";
import { keepListening, type Part } from "./listeners.ts";
import { hostOf } from "./node_address.ts";
import { type Settings, splitAddress } from "./settings.ts";
import { whenAborted } from "./signals.ts";
import { siteSource } from "./site.ts";

/** Milliseconds between two changes of the certificate, and after one that failed. */
const CHANGE_INTERVAL = 1_000;

/** What {@linkcode serveWebhook} works with. */
export interface WebhookOptions {
  readonly settings: Settings;
  readonly facts: ClusterFacts;
  readonly store: Store;
  readonly part: Part;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/**
 * The webhook listens as soon as there is a certificate. When there is another one it goes on
 * listening, and new connections get it.
 */
export async function serveWebhook(options: WebhookOptions, signal: AbortSignal): Promise<void> {
  const { settings, facts, store, part, logger, clock = systemClock } = options;
  if (settings["image-mode"] !== "rewrite") {
    part.set(true, "images are not rewritten in this mode");
    return;
  }
  const address = splitAddress(settings["admission-address"]);
  const handler = createAdmission({ site: siteSource(settings, facts, store), logger });
  const first = await firstTls(facts, signal);
  if (first === undefined) return;
  const open = (signal: AbortSignal) => {
    // Facts that have lost it since do not make the API server trust another one.
    const server = serveAdmission(handler, { ...address, tls: facts.current.tls ?? first, signal });
    void followTls(server, options, clock);
    return server;
  };
  await keepListening(part, open, { logger, signal, clock });
}

/** `undefined` when the signal aborts first. */
async function firstTls(
  facts: ClusterFacts,
  signal: AbortSignal,
): Promise<AdmissionTls | undefined> {
  while (!signal.aborted) {
    const { tlsChanged } = facts;
    const { tls } = facts.current;
    if (tls !== undefined) return tls;
    await whenAborted(signal, tlsChanged);
  }
  return undefined;
}

/** Gives the server each new certificate, until it ends. It never throws. */
async function followTls(
  server: AdmissionServer,
  { facts, part, logger }: WebhookOptions,
  clock: Clock,
): Promise<void> {
  const ended = new AbortController();
  void server.finished.then(() => ended.abort());
  const complaints = new Complaints((text) => logger.error(text));
  while (!ended.signal.aborted) {
    const { tlsChanged } = facts;
    try {
      if (facts.current.tls !== undefined) server.useCertificate(facts.current.tls);
      if (complaints.any) part.set(true, `listens on ${hostOf(server.hostname)}:${server.port}`);
      complaints.settle();
    } catch (error) {
      const text = describeError(error);
      part.set(false, text);
      complaints.say(text);
    }
    await clock.sleep(CHANGE_INTERVAL, ended.signal);
    if (!complaints.any) await whenAborted(ended.signal, tlsChanged);
  }
}
