import { describeError, type Logger } from "../std/mod.ts";
import { AdmissionError } from "./errors.ts";
import { podRule } from "./rules/pods.ts";
import type { Rule } from "./review.ts";
import { type AdmissionCounters, newCounters, Webhook } from "./webhook.ts";

/** How the webhook is started. */
export interface AdmissionOptions {
  readonly hostname: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** PEM. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** Host and port that images are pulled from; asked for each review. */
  readonly registryAddress: () => string;
  readonly logger: Logger;
  /** Ends the webhook. */
  readonly signal: AbortSignal;
}

/** A webhook that listens. */
export interface AdmissionServer {
  readonly hostname: string;
  readonly port: number;
  readonly counters: Readonly<AdmissionCounters>;
  /** Resolves when it listens no more. */
  readonly finished: Promise<void>;
}

/** Every kind that is changed has one file in `rules/`. */
const RULES: readonly Rule[] = [podRule];

/**
 * Starts the webhook. A new certificate needs a new start on the same port, which takes a few
 * milliseconds.
 *
 * @throws {AdmissionError} when it cannot listen.
 */
export function startAdmission(options: AdmissionOptions): AdmissionServer {
  const counters = newCounters();
  const webhook = new Webhook({ ...options, rules: RULES, counters });
  const server = listen(options, (request) => webhook.handle(request));
  const { hostname, port } = server.addr as Deno.NetAddr;
  options.logger.info("the admission webhook listens", { hostname, port });
  return { hostname, port, counters, finished: server.finished };
}

function listen(options: AdmissionOptions, handler: Deno.ServeHandler): Deno.HttpServer {
  const { hostname, port, tls, signal, logger } = options;
  try {
    return Deno.serve({
      hostname,
      port,
      cert: tls.cert,
      key: tls.key,
      signal,
      onListen() {},
      onError(error) {
        logger.error("a review failed", { error: describeError(error) });
        return new Response("internal error\n", { status: 500 });
      },
    }, handler);
  } catch (cause) {
    throw listenError(hostname, port, cause);
  }
}

function listenError(hostname: string, port: number, cause: unknown): AdmissionError {
  const address = `${hostname}:${port}`;
  if (cause instanceof Deno.errors.AddrInUse) {
    return new AdmissionError({
      reason: "AddressInUse",
      message: `the admission webhook cannot listen on ${address}: the port is taken`,
      remedy: "stop what listens there or set --admission-address",
      disposition: "wait",
      cause,
    });
  }
  const isCertificate = cause instanceof Deno.errors.InvalidData;
  return new AdmissionError({
    reason: isCertificate ? "BadCertificate" : "ListenFailed",
    message: isCertificate
      ? "the admission webhook's certificate or key cannot be used"
      : `the admission webhook cannot listen on ${address}`,
    disposition: "wait",
    cause,
  });
}
