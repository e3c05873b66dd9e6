import { encodeBase64 } from "./base64.ts";
import { ZarfError } from "./errors.ts";
import { type HttpAnswer, readAnswer } from "./http_answer.ts";

/** How long the registry may take neither bytes nor an answer, in milliseconds. */
const STALL_TIMEOUT = 60_000;

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

/** What it answered. */
export type RegistryAnswer = HttpAnswer;

/**
 * A client of one plain-HTTP registry, on a connection of its own for each request. `fetch` sends a
 * stream without its length, and Deno's node:http neither notices that a connection was closed
 * instead of answered nor survives one that is cut in the middle of an answer (2.7.11).
 */
export class RegistryClient {
  readonly #base: URL;
  readonly #authorization: string;
  readonly #stallTimeout: number;

  /**
   * @param registryUrl for example `http://10.96.0.12:5000`; its path is not used
   * @param stallTimeout in milliseconds
   */
  constructor(registryUrl: string, credentials: Credentials, stallTimeout = STALL_TIMEOUT) {
    this.#base = new URL(registryUrl);
    this.#stallTimeout = stallTimeout;
    const { username, password } = credentials;
    this.#authorization = `Basic ${encodeBase64(`${username}:${password}`)}`;
  }

  /**
   * Path and query of a `Location`; its host is not trusted, the registry is where we know it is.
   * Undefined when it is no URL.
   */
  locate(location: string): string | undefined {
    const url = URL.parse(location, this.#base);
    return url === null ? undefined : `${url.pathname}${url.search}`;
  }

  /**
   * Sends one request and reads its answer, whatever its status. However it ends, the body's stream
   * is at its end or cancelled.
   *
   * @throws {ZarfError} `RegistryUnavailable` when there is no answer.
   */
  async send(options: RegistryRequest): Promise<RegistryAnswer> {
    const { signal, method } = options;
    const body = options.body?.stream.getReader();
    const exchange = new Exchange(this.#stallTimeout, signal);
    try {
      const head = this.#head(options);
      await exchange.connect(this.#base);
      const answered = readAnswer((buffer) => exchange.read(buffer), method);
      exchange.write(head, body);
      return await answered;
    } catch (error) {
      signal?.throwIfAborted();
      throw new ZarfError({
        reason: "RegistryUnavailable",
        message: `${method} to the registry at ${this.#base.host} got no answer`,
        disposition: "retry",
        cause: exchange.failure ?? error,
      });
    } finally {
      exchange.end();
      await body?.cancel().catch(() => {});
    }
  }

  #head(options: RegistryRequest): string {
    const { method, path, body } = options;
    if (!/^[!-~]+$/.test(path)) throw new Error(`${JSON.stringify(path)} is no path`);
    const hasLength = method === "POST" || method === "PUT";
    const headers = {
      host: this.#base.host,
      authorization: this.#authorization,
      connection: "close",
      ...(hasLength ? { "content-length": String(body?.size ?? 0) } : {}),
      ...options.headers,
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
  }
}

/** One connection; it is closed when nothing moves for too long or the signal aborts. */
class Exchange {
  /** Why it was closed from here, if it was. */
  failure: unknown;
  readonly #signal: AbortSignal | undefined;
  readonly #abort: () => void;
  readonly #timeout: number;
  readonly #closed = Promise.withResolvers<never>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #connection: Deno.TcpConn | undefined;
  #ended = false;

  constructor(timeout: number, signal: AbortSignal | undefined) {
    this.#timeout = timeout;
    this.#signal = signal;
    this.#abort = () => this.#fail(signal?.reason);
    this.#closed.promise.catch(() => {});
  }

  async connect({ hostname, port }: URL): Promise<void> {
    this.#signal?.throwIfAborted();
    this.#signal?.addEventListener("abort", this.#abort, { once: true });
    this.#moved();
    const connecting = Deno.connect({
      // An IPv6 address is taken without its brackets.
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? 80 : Number(port),
    }).then((connection) => {
      if (this.#ended) connection.close();
      else this.#connection = connection;
    });
    await Promise.race([connecting, this.#closed.promise]);
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    const count = await this.#open.read(buffer);
    this.#moved();
    return count;
  }

  /** Sends the request in the background: a registry may answer before it has everything. */
  write(head: string, body: ReadableStreamDefaultReader<Uint8Array> | undefined): void {
    const send = async () => {
      let chunk: Uint8Array | undefined = new TextEncoder().encode(head);
      while (chunk !== undefined && await this.#writeAll(chunk)) {
        chunk = (await body?.read())?.value;
      }
    };
    send().catch((error) => this.#fail(error));
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#abort);
    this.#connection?.close();
    this.#connection = undefined;
  }

  /** Whether it was taken. If not, what can be read says why: an answer, or the connection's end. */
  async #writeAll(chunk: Uint8Array): Promise<boolean> {
    try {
      for (let at = 0; at < chunk.length;) {
        at += await this.#open.write(chunk.subarray(at));
        this.#moved();
      }
      return true;
    } catch {
      return false;
    }
  }

  get #open(): Deno.TcpConn {
    if (this.#connection === undefined) throw new Error("the connection is closed");
    return this.#connection;
  }

  #moved(): void {
    clearTimeout(this.#timer);
    if (this.#ended) return;
    this.#timer = setTimeout(
      () => this.#fail(new Error("the connection stalled")),
      this.#timeout,
    );
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.failure = error;
    this.#closed.reject(error);
    this.end();
  }
}
