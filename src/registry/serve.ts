import { listenFailure } from "../std/mod.ts";
import { RegistryError } from "./errors.ts";
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
    throw new RegistryError(
      listenFailure(
        { what: "the node registry", hostname, port, setting: "registry-address" },
        cause,
      ),
    );
  }
}
