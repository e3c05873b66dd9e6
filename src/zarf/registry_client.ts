import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { encodeBase64 } from "./base64.ts";
import { ZarfError } from "./errors.ts";

/** How long the registry may take neither bytes nor an answer, in milliseconds. */
const STALL_TIMEOUT = 60_000;
/** How much of an error answer is read. */
const MAX_ERROR_BODY = 4096;

/** Who pushes. */
export interface Credentials {
  readonly username: string;
  readonly password: string;
}

/** What is sent with a request. */
export interface RegistryBody {
  /** In bytes; the request says so, because some registries take no chunked upload. */
  readonly size: number;
  readonly stream: ReadableStream<Uint8Array>;
}

/** One request to a registry. */
export interface RegistryRequest {
  readonly method: "GET" | "HEAD" | "POST" | "PUT";
  /** Path and query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RegistryBody;
  readonly signal?: AbortSignal;
}

/** What it answered. Only error answers have text. */
export interface RegistryAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
}

/**
 * A client of one plain-HTTP registry. It is built on node:http, because `fetch` sends a stream
 * without its length.
 */
export class RegistryClient {
  readonly #base: URL;
  readonly #authorization: string;

  /** @param registryUrl for example `http://10.96.0.12:5000`; its path is not used */
  constructor(registryUrl: string, credentials: Credentials) {
    this.#base = new URL(registryUrl);
    const { username, password } = credentials;
    this.#authorization = `Basic ${encodeBase64(`${username}:${password}`)}`;
  }

  /** Path and query of a `Location`; its host is not trusted, the registry is where we know it is. */
  locate(location: string): string {
    const url = new URL(location, this.#base);
    return `${url.pathname}${url.search}`;
  }

  /**
   * Sends one request and reads its answer, whatever its status.
   *
   * @throws {ZarfError} `RegistryUnavailable` when there is no answer.
   */
  async send(options: RegistryRequest): Promise<RegistryAnswer> {
    const outgoing = this.#open(options);
    const failed = failureOf(outgoing, options.signal);
    try {
      const answered = answerOf(outgoing);
      answered.catch(() => {});
      await Promise.race([writeBody(outgoing, options.body, answered), failed.promise]);
      return await Promise.race([answered, failed.promise]);
    } catch (cause) {
      options.signal?.throwIfAborted();
      throw new ZarfError({
        reason: "RegistryUnavailable",
        message: `${options.method} to the registry at ${this.#base.host} got no answer`,
        disposition: "retry",
        cause,
      });
    } finally {
      failed.dispose();
      outgoing.destroy();
    }
  }

  #open(options: RegistryRequest): ClientRequest {
    const length = options.body === undefined
      ? (options.method === "POST" || options.method === "PUT" ? { "content-length": 0 } : {})
      : { "content-length": options.body.size };
    return request({
      // node:http takes the address of an IPv6 host without its brackets.
      host: this.#base.hostname.replace(/^\[|\]$/g, ""),
      port: this.#base.port === "" ? 80 : Number(this.#base.port),
      method: options.method,
      path: options.path,
      headers: {
        host: this.#base.host,
        authorization: this.#authorization,
        ...length,
        ...options.headers,
      },
    });
  }
}

/** Rejects when the request breaks, stalls or is aborted. */
function failureOf(outgoing: ClientRequest, signal: AbortSignal | undefined) {
  const { promise, reject } = Promise.withResolvers<never>();
  promise.catch(() => {});
  const abort = () => reject(signal?.reason);
  outgoing.on("error", reject);
  outgoing.setTimeout(STALL_TIMEOUT, () => reject(new Error("the connection stalled")));
  signal?.addEventListener("abort", abort, { once: true });
  if (signal?.aborted) abort();
  return { promise, dispose: () => signal?.removeEventListener("abort", abort) };
}

async function writeBody(
  outgoing: ClientRequest,
  body: RegistryBody | undefined,
  answered: Promise<RegistryAnswer>,
): Promise<void> {
  if (body !== undefined) {
    let early = false;
    answered.then(() => early = true, () => early = true);
    for await (const chunk of body.stream) {
      // A registry that answers before it has everything wants no more of it.
      if (early) return;
      if (!outgoing.write(chunk)) {
        await Promise.race([new Promise((resolve) => outgoing.once("drain", resolve)), answered]);
      }
    }
  }
  outgoing.end();
}

function answerOf(outgoing: ClientRequest): Promise<RegistryAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RegistryAnswer>();
  outgoing.once("response", (incoming: IncomingMessage) => {
    let text = "";
    incoming.setEncoding("utf8");
    incoming.on("data", (part: string) => {
      if (text.length < MAX_ERROR_BODY) text += part;
    });
    incoming.once("error", reject);
    incoming.once("end", () => {
      const headers: Record<string, string | undefined> = {};
      for (const [name, value] of Object.entries(incoming.headers)) headers[name] = String(value);
      resolve({ status: incoming.statusCode ?? 0, headers, text });
    });
  });
  return promise;
}
