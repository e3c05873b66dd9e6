import * as v from "valibot";
import { type KubeClient, KubeError } from "../kube/mod.ts";
import { type Clock, type Logger, silentLogger, systemClock } from "../std/mod.ts";
import { CONFIGURATION_REF, WEBHOOK_SUFFIX } from "./configuration.ts";
import {
  contentAfter,
  LIVES,
  type Lives,
  newContent,
  nextStep,
  rotationStateOf,
} from "./rotation.ts";
import { readContent, secretOf, TLS_SECRET_REF, type TlsContent } from "./tls_content.ts";
import { type AdmissionTls, tlsOf, writeSecret } from "./tls_secret.ts";

/** How often a step is begun anew because somebody else was faster. */
const MAX_ATTEMPTS = 5;

/** What {@linkcode AdmissionTlsRotation} works with. */
export interface RotationOptions {
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** @default {@linkcode LIVES} */
  readonly lives?: Lives;
}

/**
 * Keeps the webhook's certificates in the Secret: makes them, mends them, and renews them by their age.
 * Every agent may do so at the same time.
 *
 * It is an object because it remembers since when it has seen the cluster as it is; so keep one as long
 * as the process lives. One that starts anew waits again, and that is all.
 */
export class AdmissionTlsRotation {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #lives: Lives;
  #seen: { readonly what: string; readonly since: number } | undefined;

  constructor({ logger = silentLogger, clock = systemClock, lives = LIVES }: RotationOptions = {}) {
    this.#logger = logger;
    this.#clock = clock;
    this.#lives = lives;
  }

  /**
   * Makes at most one step, and gives what is to be served and trusted now: `ca` of it, and of nothing
   * that was known before, belongs into the webhook configuration. It writes nothing while nothing is
   * due. Call it again and again, at intervals of a minute or so: a CA is renewed in three steps, and
   * what lies between two of them has to be seen for ten minutes.
   *
   * @throws {KubeError} when the Secret or the configuration cannot be read or written.
   */
  async step(
    kube: KubeClient,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<AdmissionTls> {
    for (let attempt = 1;; attempt++) {
      try {
        return await this.#attempt(kube, options);
      } catch (error) {
        if (!isLost(error) || attempt >= MAX_ATTEMPTS) throw error;
      }
    }
  }

  async #attempt(
    kube: KubeClient,
    options: { readonly signal?: AbortSignal },
  ): Promise<AdmissionTls> {
    const now = this.#clock.now();
    const secret = await kube.get(TLS_SECRET_REF, options);
    const content = secret === undefined ? undefined : readContent(secret);
    const step = content === undefined ? "StartOver" : nextStep(rotationStateOf(content), now, {
      settledFor: await this.#settledFor(kube, content, options),
    }, this.#lives);
    const next = content === undefined ? newContent(now) : contentAfter(content, step, now);
    const tls = tlsOf(next);
    if (tls === undefined) throw new Error(`no certificate after step ${step}`);
    if (step === "Keep") return tls;
    await writeSecret(kube, secretOf(next, secret), options);
    this.#logger.info("the webhook's certificates change", {
      step,
      ...(content?.flaw === undefined ? {} : { why: content.flaw }),
    });
    return tls;
  }

  /** Asks for the configuration only where the answer matters: while there are several CAs. */
  async #settledFor(
    kube: KubeClient,
    content: TlsContent,
    options: { readonly signal?: AbortSignal },
  ): Promise<number> {
    const isTrusted = content.cas.length > 1 && content.leaf !== undefined &&
      trustsAll(await kube.get(CONFIGURATION_REF, options), content.cas);
    if (!isTrusted) {
      this.#seen = undefined;
      return 0;
    }
    const what = JSON.stringify([content.cas, content.leaf?.cert]);
    // After the answer: what was seen was so before this moment, not since.
    const now = this.#clock.monotonic();
    if (this.#seen?.what !== what) this.#seen = { what, since: now };
    return now - this.#seen.since;
  }
}

/**
 * The certificates of the webhook, made if there are none and mended if they cannot be used. All agents
 * serve the same ones, because the API server of each node is told the same CA: whoever writes the
 * Secret first wins, the others take what is there. Namespace `zarf` must exist.
 *
 * @throws {KubeError} when the Secret cannot be read or written.
 */
export function ensureAdmissionTls(kube: KubeClient): Promise<AdmissionTls> {
  return new AdmissionTlsRotation().step(kube);
}

/** Somebody else wrote in between, or took it away. */
function isLost(error: unknown): boolean {
  return error instanceof KubeError &&
    ["Conflict", "AlreadyExists", "NotFound"].includes(error.reason);
}

const ConfigurationSchema = v.looseObject({
  webhooks: v.array(v.looseObject({
    name: v.string(),
    clientConfig: v.looseObject({ caBundle: v.pipe(v.string(), v.base64()) }),
  })),
});

/** Whether every webhook of ours is called with trust in all of these CAs. */
function trustsAll(configuration: unknown, cas: readonly string[]): boolean {
  const parsed = v.safeParse(ConfigurationSchema, configuration);
  if (!parsed.success) return false;
  const ours = parsed.output.webhooks.filter(({ name }) => name.endsWith(WEBHOOK_SUFFIX));
  return ours.length > 0 && ours.every(({ clientConfig }) => {
    const bundle = new TextDecoder().decode(Uint8Array.fromBase64(clientConfig.caBundle));
    return cas.every((ca) => bundle.includes(ca.trim()));
  });
}
