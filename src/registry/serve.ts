import { osErrorCode } from "../std/mod.ts";
import { RegistryError, type RegistryReason } from "./errors.ts";
import type { RegistryHandler } from "./handler.ts";
import { HttpServer } from "./http_server.ts";

/** Where the registry listens. */
export interface ServeOptions {
  /** A loopback address: there is no authentication. */
  readonly hostname: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Ends the server; bodies that are being sent are cut. */
  readonly signal?: AbortSignal;
}

/** A listening registry. */
export interface RegistryServer {
  readonly hostname: string;
  readonly port: number;
  /** Resolves when the server has ended. */
  readonly finished: Promise<void>;
  /** Takes no new requests and resolves when those in flight are answered. */
  shutdown(): Promise<void>;
}

/**
 * Serves `handler` over plain HTTP/1.1.
 *
 * @throws {RegistryError} `AddressInUse`, `AddressNotAvailable`, `Permission` or `ListenFailed`.
 */
export function serveRegistry(handler: RegistryHandler, options: ServeOptions): RegistryServer {
  const { hostname, port, signal } = options;
  try {
    const listener = Deno.listen({ hostname, port });
    const server = new HttpServer(listener, handler);
    signal?.addEventListener("abort", () => server.abort(), { once: true });
    if (signal?.aborted) server.abort();
    return {
      hostname: listener.addr.hostname,
      port: listener.addr.port,
      finished: server.finished,
      shutdown: () => server.shutdown(),
    };
  } catch (cause) {
    throw listenError(hostname, port, cause);
  }
}

const LISTEN_FAILURES: Readonly<Record<string, readonly [RegistryReason, string]>> = {
  EADDRINUSE: ["AddressInUse", "another program listens there"],
  EADDRNOTAVAIL: ["AddressNotAvailable", "this machine has no such address"],
  EACCES: ["Permission", "permission denied"],
};

function listenError(hostname: string, port: number, cause: unknown): RegistryError {
  const [reason, why] = LISTEN_FAILURES[osErrorCode(cause) ?? ""] ??
    ["ListenFailed", "the operating system does not let it"];
  return new RegistryError({
    reason,
    message: `the node registry cannot listen on ${hostname}:${port}: ${why}`,
    remedy: "free the address, or set another one with --registry-address",
    disposition: "wait",
    cause,
  });
}
