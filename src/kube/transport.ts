import { isDeepStrictEqual } from "node:util";
import { type Clock, Complaints, describeError, type Logger, osErrorCode } from "../std/mod.ts";
import type { ClusterAccess } from "./access.ts";
import { Deadline } from "./deadline.ts";
import { KubeError } from "./errors.ts";
import { readBody } from "./read_body.ts";

/** One HTTP request below the server's address. */
export interface HttpRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

/** An answer that is wholly in memory. */
export interface HttpReply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

/** An answer whose body still comes; whoever has it reads it to its end or cancels it. */
export interface HttpStream {
  readonly status: number;
  readonly headers: Headers;
  readonly body: ReadableStream<Uint8Array> | null;
}

/** How the transport is made. */
export interface TransportOptions {
  /** Milliseconds. */
  readonly timeout: number;
  readonly logger: Logger;
  readonly clock: Clock;
}

/** The largest answer that is taken into memory, in bytes. */
export const MAX_BODY = 64 << 20;
/** After so many timeouts in a row the connections are given up and made anew. */
const TIMEOUTS_BEFORE_RENEWAL = 2;
/** The connections are made anew at most once in so many milliseconds. */
const RENEWAL_INTERVAL = 5_000;
/** Address and credentials are looked at again before a request, at most once in so many milliseconds. */
const LOOK_INTERVAL = 5_000;
/** How long the content of a token file is used, in milliseconds (client-go: one minute). */
const TOKEN_LIFETIME = 60_000;
/** Idle connections are closed after so many milliseconds. */
const IDLE_TIMEOUT = 90_000;

/** What one answer may take. */
export interface SendOptions {
  /** Milliseconds. */
  readonly timeout?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The largest answer, in bytes. @default {@linkcode MAX_BODY} */
  readonly maxBody?: number | undefined;
}

/**
 * HTTPS to one API server. Where address or credentials are others by now they are taken over,
 * whatever the server has said before. HTTP/1.1 only: on Deno's HTTP/2 one connection that went silent
 * makes every request of the client time out (measured on 2.7.11).
 */
export class Transport {
  readonly #load: () => ClusterAccess;
  readonly #options: TransportOptions;
  #access: ClusterAccess;
  #client: Deno.HttpClient;
  #timeouts = 0;
  #renewedAt = -Infinity;
  #lookedAt: number;
  readonly #complaints: Complaints;
  #era = new AbortController();
  #token: { readonly value: string; readonly readAt: number } | undefined;
  #closed = false;

  constructor(load: () => ClusterAccess, options: TransportOptions) {
    this.#load = load;
    this.#options = options;
    this.#complaints = new Complaints((error) =>
      options.logger.warn("the API server's credentials cannot be read again", { error })
    );
    this.#access = load();
    this.#client = createClient(this.#access);
    this.#lookedAt = options.clock.monotonic();
  }

  /** The API server's address. */
  get server(): string {
    return this.#access.server;
  }

  /** Aborts, with `Gone`, when address or credentials are others: what is open is of those before. */
  get era(): AbortSignal {
    return this.#era.signal;
  }

  /** Sends a request and takes the whole answer, whatever its status. */
  async send(request: HttpRequest, options: SendOptions): Promise<HttpReply> {
    const deadline = new Deadline(options.timeout ?? this.#options.timeout, options.signal);
    try {
      const response = await this.#fetch(request, deadline);
      const body = await readBody(response.body, deadline, {
        limit: options.maxBody ?? MAX_BODY,
        what: `${request.method} ${request.path}`,
      });
      this.#timeouts = 0;
      return { status: response.status, headers: response.headers, body };
    } catch (error) {
      throw this.#translate(request, error, deadline);
    } finally {
      deadline.end();
    }
  }

  /** Sends a request and returns when the headers are here; `deadline` goes on over the body. */
  async open(request: HttpRequest, deadline: Deadline): Promise<HttpStream> {
    try {
      const response = await this.#fetch(request, deadline);
      this.#timeouts = 0;
      return response;
    } catch (error) {
      throw this.#translate(request, error, deadline);
    }
  }

  /**
   * What answers is no API server, or does not know the credentials: both are read again, and the
   * next request has a connection of its own, which may lead elsewhere.
   */
  renew(): void {
    const now = this.#options.clock.monotonic();
    if (this.#closed || now - this.#renewedAt < RENEWAL_INTERVAL) return;
    this.#renewedAt = now;
    this.#timeouts = 0;
    this.#token = undefined;
    this.#lookedAt = -Infinity;
    if (!this.#look()) this.#use(this.#access);
  }

  /** The next request looks at the kubeconfig, however lately it was looked at. */
  lookAgain(): void {
    this.#lookedAt = -Infinity;
  }

  /** Every later request fails; open streams end by their own signal. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#client.close();
  }

  async #fetch(request: HttpRequest, deadline: Deadline): Promise<Response> {
    if (this.#closed) throw new TypeError("the client is closed");
    this.#look();
    const token = this.#bearerToken();
    const init: RequestInit & { client: Deno.HttpClient } = {
      method: request.method,
      headers: {
        ...request.headers,
        // The API server is near; packing what is over 128 KiB costs both sides more than sending it.
        "accept-encoding": "identity",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      // A redirect could carry the credentials elsewhere; an API server sends none.
      redirect: "manual",
      signal: deadline.signal,
      client: this.#client,
      ...(request.body === undefined ? {} : { body: request.body as BodyInit }),
    };
    const answer = fetch(this.#access.server + request.path, init);
    const response = await deadline.race(answer, (late) => late.body?.cancel());
    if (response.status === 401) this.renew();
    return response;
  }

  #bearerToken(): string | undefined {
    const { token, tokenFile } = this.#access;
    if (token !== undefined || tokenFile === undefined) return token;
    const now = this.#options.clock.monotonic();
    if (this.#token === undefined || now - this.#token.readAt > TOKEN_LIFETIME) {
      this.#token = { value: readToken(tokenFile), readAt: now };
    }
    return this.#token.value;
  }

  /** Takes over what the kubeconfig says by now; whether that is something else. */
  #look(): boolean {
    const now = this.#options.clock.monotonic();
    if (now - this.#lookedAt < LOOK_INTERVAL) return false;
    this.#lookedAt = now;
    try {
      const access = this.#load();
      this.#complaints.settle();
      if (isDeepStrictEqual(access, this.#access)) return false;
      this.#use(access);
      this.#token = undefined;
      this.#timeouts = 0;
    } catch (error) {
      this.#complaints.say(describeError(error));
      return false;
    }
    const old = this.#era;
    this.#era = new AbortController();
    old.abort(otherAccess());
    return true;
  }

  /** @throws {KubeError} `BadKubeconfig`; everything is then as before. */
  #use(access: ClusterAccess): void {
    const client = createClient(access);
    this.#client.close();
    this.#access = access;
    this.#client = client;
  }

  #translate(request: HttpRequest, error: unknown, deadline: Deadline): unknown {
    if (error instanceof KubeError) return error;
    const what = `${request.method} ${request.path}`;
    if (deadline.expired) {
      if (++this.#timeouts >= TIMEOUTS_BEFORE_RENEWAL) this.renew();
      return new KubeError({
        reason: "Timeout",
        message: `${what}: no answer from ${this.server} within ${deadline.milliseconds} ms`,
      });
    }
    if (deadline.signal.aborted) return deadline.signal.reason;
    return unreachable(what, this.server, error);
  }
}

function otherAccess(): KubeError {
  return new KubeError({
    reason: "Gone",
    message: "the kubeconfig has another address or other credentials by now",
  });
}

/** The error of a connection that could not be made or was lost. */
export function unreachable(what: string, server: string, cause: unknown): KubeError {
  const text = cause instanceof Error ? cause.message : String(cause);
  const code = osErrorCode(cause);
  return new KubeError({
    reason: "Unreachable",
    message: `${what}: no connection to ${server}${code === undefined ? "" : ` (${code})`}`,
    ...remedyOf(text),
    cause,
  });
}

/** rustls says both of a certificate whose time it is not (its CertificateError). */
const NOT_ITS_TIME = /certificate (not valid yet|expired)|not yet valid|NotValidYet|Expired/;

function remedyOf(text: string): { readonly remedy?: string } {
  if (NOT_ITS_TIME.test(text)) {
    const now = new Date().toISOString();
    return { remedy: `by this node's clock it is ${now}; set the clock, or renew the certificate` };
  }
  return text.includes("certificate")
    ? { remedy: "check the certificate authority and the address in the kubeconfig" }
    : {};
}

function createClient(access: ClusterAccess): Deno.HttpClient {
  const { ca, cert, key } = access;
  try {
    return Deno.createHttpClient({
      http2: false,
      poolIdleTimeout: IDLE_TIMEOUT,
      ...(ca === undefined ? {} : { caCerts: [ca] }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    });
  } catch (cause) {
    throw new KubeError({
      reason: "BadKubeconfig",
      message: "the certificates or the key of the kubeconfig cannot be used",
      cause,
    });
  }
}

function readToken(path: string): string {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch (cause) {
    throw new KubeError({
      reason: "BadKubeconfig",
      message: `cannot read the token file ${path}`,
      cause,
    });
  }
}
