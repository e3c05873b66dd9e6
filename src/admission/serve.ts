import { osErrorCode } from "../std/mod.ts";
import { AdmissionError, type AdmissionReason } from "./errors.ts";
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

interface Failure {
  readonly reason: AdmissionReason;
  readonly why: string;
  readonly remedy?: string;
}

const FAILURES: Readonly<Record<string, Failure>> = {
  EADDRINUSE: { reason: "AddressInUse", why: "another program listens there" },
  EADDRNOTAVAIL: { reason: "AddressNotAvailable", why: "this machine has no such address" },
  EACCES: { reason: "Permission", why: "permission denied" },
};

function failureOf(cause: unknown): Failure {
  const code = osErrorCode(cause);
  const known = code === undefined ? undefined : FAILURES[code];
  if (known !== undefined) return known;
  if (code === undefined && !(cause instanceof Deno.errors.AddrInUse)) {
    return {
      reason: "TlsInvalid",
      why: "its certificate and key cannot be used",
      remedy: "delete Secret zarf/holdfast-admission-tls; it is made again",
    };
  }
  return { reason: "ListenFailed", why: "the operating system does not let it" };
}

function listenError(hostname: string, port: number, cause: unknown): AdmissionError {
  const failure = failureOf(cause);
  return new AdmissionError({
    reason: failure.reason,
    message: `the admission webhook cannot listen on ${hostname}:${port}: ${failure.why}`,
    remedy: failure.remedy ?? "free the address, or set another one with --admission-address",
    disposition: "wait",
    cause,
  });
}
