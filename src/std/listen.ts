import { type ErrorParts, osErrorCode } from "./errors.ts";

/** Why an address could not be listened on; rooms have these among their own reasons. */
export type ListenReason = "AddressInUse" | "AddressNotAvailable" | "Permission" | "ListenFailed";

/** Who wanted to listen, and where. */
export interface ListenAttempt {
  /** As the subject of a sentence: `the node registry`. */
  readonly what: string;
  readonly hostname: string;
  readonly port: number;
  /** The setting that holds the address: `registry-address`. */
  readonly setting: string;
}

const FAILURES: Readonly<Record<string, readonly [ListenReason, string]>> = {
  EADDRINUSE: ["AddressInUse", "another program listens there"],
  EADDRNOTAVAIL: ["AddressNotAvailable", "this machine has no such address"],
  EACCES: ["Permission", "permission denied"],
};

/**
 * What a room's error is made of when the operating system did not let it listen. It is always worth
 * another look: the other program may end, the address may come.
 */
export function listenFailure(
  { what, hostname, port, setting }: ListenAttempt,
  cause: unknown,
): ErrorParts<ListenReason> {
  const [reason, why] = FAILURES[osErrorCode(cause) ?? ""] ??
    ["ListenFailed", "the operating system does not let it"];
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    reason,
    message: `${what} cannot listen on ${host}:${port}: ${why}`,
    remedy: `free the address, or set another one with --${setting}`,
    disposition: "wait",
    cause,
  };
}

/** A listening HTTP server. */
export interface HttpListening {
  readonly hostname: string;
  readonly port: number;
  /** Resolves when it has ended. */
  readonly finished: Promise<void>;
  /** Takes no new requests and resolves when those in flight are answered. */
  shutdown(): Promise<void>;
}

/** Where {@linkcode listenHttp} listens, and for whom. */
export interface HttpListenOptions extends ListenAttempt {
  /** Ends it at once. */
  readonly signal?: AbortSignal;
}

/**
 * Serves plain HTTP.
 *
 * @param failed makes the room's own error of what kept it from listening.
 * @throws what `failed` made.
 */
export function listenHttp(
  handler: (request: Request) => Response | Promise<Response>,
  options: HttpListenOptions,
  failed: (parts: ErrorParts<ListenReason>) => Error,
): HttpListening {
  const { hostname, port, signal } = options;
  try {
    const server = Deno.serve(
      { hostname, port, onListen() {}, ...(signal === undefined ? {} : { signal }) },
      handler,
    );
    const { addr, finished } = server;
    return {
      hostname: addr.hostname,
      port: addr.port,
      finished,
      shutdown: () => server.shutdown(),
    };
  } catch (cause) {
    throw failed(listenFailure(options, cause));
  }
}
