import { type Clock, listenFailure, osErrorCode, systemClock } from "../std/mod.ts";
import { AdmissionError } from "./errors.ts";
import { sendAtOnce } from "./no_delay.ts";
import { Relay, type RelayTarget } from "./relay.ts";
import type { AdmissionTls } from "./tls_secret.ts";
import type { AdmissionHandler } from "./webhook.ts";

/** Milliseconds in which requests that were begun have to be answered; the API server waits for 3 s. */
const DRAIN_TIMEOUT = 5_000;
/** Milliseconds between two attempts to put a server in the place of one that ended by itself. */
const REOPEN_INTERVAL = 100;
/** Where the servers listen that hold the certificates; every machine has it. */
const INNER_HOSTNAME = "127.0.0.1";

/** What a server is identified with. */
export type ServerTls = Pick<AdmissionTls, "cert" | "key">;

/** Where the webhook listens and with which certificate. */
export interface ServeAdmissionOptions {
  /** A loopback address: the API server of the same node is the only one who may ask. */
  readonly hostname: string;
  /** 0 takes any free one. */
  readonly port: number;
  readonly tls: ServerTls;
  /** Ends the server at once. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
}

/** A listening webhook. */
export interface AdmissionServer {
  readonly hostname: string;
  readonly port: number;
  /** Resolves when the server has ended. */
  readonly finished: Promise<void>;
  /**
   * Connections that begin from now on get another certificate. Those that there are go on until their
   * client ends them, so nothing that was asked is lost.
   *
   * @throws {AdmissionError} as {@linkcode serveAdmission}; the present certificate is kept then.
   */
  useCertificate(tls: ServerTls): void;
  /** Takes no new requests and resolves when those in flight are answered, or broken off after 5 s. */
  shutdown(): Promise<void>;
}

/**
 * Serves `handler` over HTTPS. Go's clients, and everybody else of today, agree on TLS 1.3; Deno has no
 * setting that refuses 1.2.
 *
 * Deno cannot change the certificate of a server, and whoever listens anew on the same port loses what
 * comes meanwhile. So what listens is a {@linkcode Relay} to a server on another port, of which there
 * is a new one for each certificate; docs/decisions/webhook-certificates.md has the figures.
 *
 * @throws {AdmissionError} `AddressInUse`, `AddressNotAvailable`, `Permission`, `ListenFailed`, or
 * `TlsInvalid` when certificate and key cannot be used.
 */
export function serveAdmission(
  handler: AdmissionHandler,
  options: ServeAdmissionOptions,
): AdmissionServer {
  return new RelayedServer(handler, options);
}

class RelayedServer implements AdmissionServer {
  readonly finished: Promise<void>;
  readonly #handler: AdmissionHandler;
  readonly #clock: Clock;
  readonly #relay: Relay;
  /** The last one takes new connections; the others wait for the end of those that they have. */
  readonly #servers = new Set<TlsServer>();
  #current: TlsServer;
  #ending = false;

  constructor(handler: AdmissionHandler, options: ServeAdmissionOptions) {
    const { hostname, port, tls, signal, clock = systemClock } = options;
    this.#handler = handler;
    this.#clock = clock;
    this.#current = this.#open(tls);
    try {
      this.#relay = new Relay({ hostname, port, clock, target: () => this.#current });
    } catch (cause) {
      this.#ending = true;
      this.#current.end();
      throw new AdmissionError(failureAt(hostname, port, cause));
    }
    this.finished = this.#relay.finished.then(() => this.#endServers());
    const end = () => this.#end();
    if (signal?.aborted) end();
    else signal?.addEventListener("abort", end, { once: true });
    void this.finished.then(() => signal?.removeEventListener("abort", end));
  }

  get hostname(): string {
    return this.#relay.address.hostname;
  }

  get port(): number {
    return this.#relay.address.port;
  }

  useCertificate(tls: ServerTls): void {
    const old = this.#current;
    if (this.#ending || old.isServing(tls)) return;
    this.#current = this.#open(tls);
    old.retire();
  }

  async shutdown(): Promise<void> {
    this.#ending = true;
    this.#relay.close();
    const drained = new AbortController();
    const down = Promise.all(Array.from(this.#servers, (server) => server.shutdown()))
      .finally(() => drained.abort());
    await this.#clock.sleep(DRAIN_TIMEOUT, drained.signal);
    this.#end();
    await Promise.all([down, this.finished]);
  }

  /** @throws {AdmissionError} */
  #open(tls: ServerTls): TlsServer {
    const server = new TlsServer(this.#handler, tls);
    this.#servers.add(server);
    void server.finished.then(() => {
      this.#servers.delete(server);
      return this.#replace(server);
    });
    return server;
  }

  /** `Deno.serve` ends by itself when `accept` fails, as when there are no file descriptors. */
  async #replace(ended: TlsServer): Promise<void> {
    while (!this.#ending && ended === this.#current) {
      try {
        this.#current = this.#open(ended.tls);
      } catch {
        await this.#clock.sleep(REOPEN_INTERVAL);
      }
    }
  }

  #end(): void {
    this.#ending = true;
    this.#relay.close();
    this.#relay.breakOff();
  }

  async #endServers(): Promise<void> {
    this.#ending = true;
    await Promise.all(Array.from(this.#servers, (server) => (server.end(), server.finished)));
  }
}

/** An HTTPS server with one certificate, on any port. */
class TlsServer implements RelayTarget {
  readonly address: Deno.NetAddr;
  /** Resolves also when it ended by a failure. */
  readonly finished: Promise<void>;
  readonly tls: ServerTls;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #abort = new AbortController();
  #connections = 0;
  #retired = false;
  #isGoingDown = false;

  /** @throws {AdmissionError} */
  constructor(handler: AdmissionHandler, { cert, key }: ServerTls) {
    this.tls = { cert, key };
    try {
      this.#server = Deno.serve({
        hostname: INNER_HOSTNAME,
        port: 0,
        cert,
        key,
        signal: this.#abort.signal,
        onListen() {},
      }, handler);
    } catch (cause) {
      throw tlsError(cause);
    }
    this.address = this.#server.addr;
    sendAtOnce(this.address.port);
    this.finished = this.#server.finished.catch(() => {}).then(() => {
      this.#isGoingDown = true;
    });
  }

  isServing({ cert, key }: ServerTls): boolean {
    return this.tls.cert === cert && this.tls.key === key;
  }

  begun(): void {
    this.#connections++;
  }

  ended(): void {
    this.#connections--;
    this.#endIfUnused();
  }

  /**
   * Ends with its last connection. Not by `shutdown` while there is one: with Deno 2.7 a request that
   * arrives before its client has read GOAWAY is never answered.
   */
  retire(): void {
    this.#retired = true;
    this.#endIfUnused();
  }

  /** Resolves when every request that was begun is answered. */
  shutdown(): Promise<void> {
    this.#isGoingDown = true;
    return this.#server.shutdown();
  }

  /** Ends it at once; one that goes down already ends with its last connection. */
  end(): void {
    // Deno 2.7 throws from inside `abort` when the server was shut down or ended before.
    if (this.#isGoingDown) return;
    this.#isGoingDown = true;
    this.#abort.abort();
  }

  #endIfUnused(): void {
    if (this.#retired && this.#connections === 0) this.end();
  }
}

function failureAt(hostname: string, port: number, cause: unknown) {
  return listenFailure(
    { what: "the admission webhook", hostname, port, setting: "admission-address" },
    cause,
  );
}

function tlsError(cause: unknown): AdmissionError {
  const failure = failureAt(INNER_HOSTNAME, 0, cause);
  // The operating system has a code for everything that it refuses; what has none is TLS's.
  if (osErrorCode(cause) !== undefined) return new AdmissionError(failure);
  return new AdmissionError({
    ...failure,
    reason: "TlsInvalid",
    message: "the admission webhook cannot listen: its certificate and key cannot be used",
    remedy: "delete Secret zarf/holdfast-admission-tls; it is made again",
  });
}
