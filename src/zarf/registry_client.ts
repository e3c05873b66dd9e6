import { machineCertificates } from "../std/mod.ts";
import { encodeBase64 } from "./base64.ts";
import { ZarfError } from "./errors.ts";
import { type HttpAnswer, readAnswer } from "./http_answer.ts";
import { Exchange } from "./registry_exchange.ts";
import { fetchToken, wantsToken } from "./registry_tokens.ts";

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
 * A client of one registry, by HTTP or TLS, on a connection of its own for each request. It signs in
 * with its password or, where the registry asks for one, with a token. `fetch` sends a stream without
 * its length, and Deno's node:http neither notices that a connection was closed instead of answered
 * nor survives one that is cut in the middle of an answer (2.7.11).
 */
export class RegistryClient {
  readonly #base: URL;
  readonly #prefix: string;
  readonly #authorization: string;
  readonly #stallTimeout: number;
  /** By what they are for. */
  readonly #tokens = new Map<string, string>();
  #authorities: readonly string[] | undefined;

  /**
   * @param registryUrl for example `http://10.96.0.12:5000`; its path stands before the names of all
   * repositories
   * @param stallTimeout in milliseconds
   */
  constructor(registryUrl: string, credentials: Credentials, stallTimeout = STALL_TIMEOUT) {
    this.#base = new URL(registryUrl);
    this.#prefix = this.#base.pathname.replace(/^\/+|\/+$/g, "");
    this.#stallTimeout = stallTimeout;
    const { username, password } = credentials;
    this.#authorization = `Basic ${encodeBase64(`${username}:${password}`)}`;
  }

  /** The whole name of a repository there. */
  repository(name: string): string {
    return this.#prefix === "" ? name : `${this.#prefix}/${name}`;
  }

  /** The path of something in a repository: `/v2/<repository>/<rest>`. */
  path(repository: string, rest: string): string {
    return `/v2/${this.repository(repository)}/${rest}`;
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
   * @throws {ZarfError} `RegistryUnavailable` when there is no answer, or no token for one.
   */
  async send(options: RegistryRequest): Promise<RegistryAnswer> {
    const scopes = scopesOf(options.path);
    const purpose = scopes.join(" ");
    const answer = await this.#exchange(options, this.#tokens.get(purpose));
    const challenge = answer.headers["www-authenticate"];
    if (answer.status !== 401 || !wantsToken(challenge)) return answer;
    const { method, body, signal } = options;
    let token: string;
    try {
      token = await fetchToken({
        ...{ authorization: this.#authorization, challenge, scopes },
        ...(signal === undefined ? {} : { signal }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#unavailable(
        `${method} to the registry at ${this.#base.host} got no token`,
        error,
      );
    }
    this.#tokens.set(purpose, token);
    if (body === undefined) return await this.#exchange(options, token);
    // Its stream is at its end; whoever tries again has another one.
    throw this.#unavailable(`the token for the registry at ${this.#base.host} was too old`);
  }

  async #exchange(options: RegistryRequest, token: string | undefined): Promise<RegistryAnswer> {
    const { signal, method } = options;
    const body = options.body?.stream.getReader();
    const exchange = new Exchange(this.#stallTimeout, signal);
    try {
      const head = this.#head(options, token);
      await exchange.connect(this.#base, () => this.#authorities ??= machineCertificates());
      const answered = readAnswer((buffer) => exchange.read(buffer), method);
      exchange.write(head, body);
      return await answered;
    } catch (error) {
      signal?.throwIfAborted();
      throw this.#unavailable(
        `${method} to the registry at ${this.#base.host} got no answer`,
        exchange.failure ?? error,
      );
    } finally {
      exchange.end();
      await body?.cancel().catch(() => {});
    }
  }

  #unavailable(message: string, cause?: unknown): ZarfError {
    return new ZarfError({ reason: "RegistryUnavailable", message, disposition: "retry", cause });
  }

  #head(options: RegistryRequest, token: string | undefined): string {
    const { method, path, body } = options;
    if (!/^[!-~]+$/.test(path)) throw new Error(`${JSON.stringify(path)} is no path`);
    const hasLength = method === "POST" || method === "PUT";
    const headers = {
      host: this.#base.host,
      authorization: token === undefined ? this.#authorization : `Bearer ${token}`,
      connection: "close",
      ...(hasLength ? { "content-length": String(body?.size ?? 0) } : {}),
      ...options.headers,
    };
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    return `${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`;
  }
}

/** What a token for a path must allow. */
function scopesOf(path: string): string[] {
  const [, name] = /^\/v2\/(.+?)\/(?:blobs|manifests)\//.exec(path) ?? [];
  const from = new URLSearchParams(path.split("?")[1]).get("from");
  return [
    ...(name === undefined ? [] : [`repository:${name}:pull,push`]),
    ...(from === null ? [] : [`repository:${from}:pull`]),
  ];
}
