import type { Logger } from "../std/mod.ts";
import { describeError } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { type OciErrorCode, RequestError } from "./errors.ts";
import { add } from "./metrics.ts";
import type { RegistryMetrics, TagBook, Upstream } from "./types.ts";

/** What every route of the registry works with. */
export interface Context {
  readonly store: Pick<Store, "blobs" | "records">;
  readonly upstreams: readonly Upstream[];
  readonly tags: TagBook | undefined;
  readonly logger: Logger;
  readonly metrics: RegistryMetrics;
}

/** Seconds after which a client may ask again when an upstream did not answer. */
const RETRY_AFTER = "5";

/**
 * Asks the upstreams in their order; the first that has it wins, one that fails is passed over.
 *
 * @param unknown the code of the answer when all of them say that they do not have it.
 * @throws {RequestError} `unknown`, or `UNAVAILABLE` when one that failed might have had it.
 */
export async function askUpstreams<T>(
  context: Context,
  unknown: OciErrorCode,
  what: string,
  ask: (upstream: Upstream) => Promise<T | undefined>,
): Promise<{ readonly upstream: string; readonly found: T }> {
  let failed = false;
  for (const upstream of context.upstreams) {
    try {
      const found = await ask(upstream);
      if (found !== undefined) return { upstream: upstream.name, found };
    } catch (error) {
      failed = true;
      add(context.metrics.upstreamErrors, upstream.name, 1);
      context.logger.warn("an upstream registry failed", {
        upstream: upstream.name,
        what,
        error: describeError(error),
      });
    }
  }
  if (!failed) throw new RequestError(unknown, "not found", { reference: what });
  throw new RequestError(
    "UNAVAILABLE",
    "it is not on this node, and a registry that may have it does not answer",
    { reference: what },
    { "retry-after": RETRY_AFTER },
  );
}
