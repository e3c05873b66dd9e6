import { listenFailure, osErrorCode } from "../std/mod.ts";
import { AdmissionError } from "./errors.ts";
import type { AdmissionTls } from "./tls_secret.ts";
import type { AdmissionHandler } from "./webhook.ts";

/** Where the webhook listens and with which certificate. */
export interface ServeAdmissionOptions {
  /** A loopback address: the API server of the same node is the only one who may ask. */
  readonly hostname: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly tls: Pick<AdmissionTls, "cert" | "key">;
  /** Ends the server at once. */
  readonly signal?: AbortSignal;
}

/** A listening webhook. */
export interface AdmissionServer {
  readonly hostname: string;
  readonly port: number;
  /** Resolves when the server has ended. */
  readonly finished: Promise<void>;
  /** Takes no new requests and resolves when those in flight are answered. */
  shutdown(): Promise<void>;
}

/**
 * Serves `handler` over HTTPS.
 *
 * @throws {AdmissionError} `AddressInUse`, `AddressNotAvailable`, `Permission`, `ListenFailed`, or
 * `TlsInvalid` when certificate and key cannot be used.
 */
export function serveAdmission(
  handler: AdmissionHandler,
  options: ServeAdmissionOptions,
): AdmissionServer {
  const { hostname, port, tls, signal } = options;
  try {
    const server = Deno.serve({
      hostname,
      port,
      cert: tls.cert,
      key: tls.key,
      ...(signal === undefined ? {} : { signal }),
      onListen() {},
    }, handler);
    return {
      hostname: server.addr.hostname,
      port: server.addr.port,
      finished: server.finished,
      shutdown: () => server.shutdown(),
    };
  } catch (cause) {
    throw listenError(hostname, port, cause);
  }
}

function listenError(hostname: string, port: number, cause: unknown): AdmissionError {
  const failure = listenFailure(
    { what: "the admission webhook", hostname, port, setting: "admission-address" },
    cause,
  );
  // The operating system has a code for everything that it refuses; what has none is TLS's.
  if (osErrorCode(cause) !== undefined) return new AdmissionError(failure);
  return new AdmissionError({
    ...failure,
    reason: "TlsInvalid",
    message: `the admission webhook cannot listen on ${hostname}:${port}: ` +
      "its certificate and key cannot be used",
    remedy: "delete Secret zarf/holdfast-admission-tls; it is made again",
  });
}
