import type { RegistryHandler } from "./handler.ts";
import { headEnd, MAX_HEAD, parseHead, type RequestHead, responseHead } from "./http_head.ts";

/** How long a connection may stay idle, and a head may take, in milliseconds. */
const IDLE_TIMEOUT = 60_000;
/** How long a client may take none of what is sent, in milliseconds. */
const WRITE_TIMEOUT = 120_000;
/** What a body is read into while few connections are open (facts: level with nginx). */
const LARGE_BUFFER = 1 << 20;
/** The same while many are open, to keep memory flat. */
const SMALL_BUFFER = 64 << 10;
/** Up to this many open connections get large buffers. */
const LARGE_BUFFER_CONNECTIONS = 8;
/** A refused body is read, unseen, up to this many bytes, so that the client reads the refusal. */
const MAX_DRAIN = 1 << 20;
/** How long that may take, in milliseconds. */
const DRAIN_TIMEOUT = 2_000;

/** One client's connection: its requests one after the other. */
export class Connection {
  readonly #socket: Deno.TcpConn;
  readonly #handler: RegistryHandler;
  readonly #connections: () => number;
  readonly #control = new AbortController();
  readonly #head = new Uint8Array(MAX_HEAD);
  /** Bytes of `#head` that were read and not used. */
  #held = 0;
  #busy = false;
  #last = false;

  /** @param connections how many there are now, which decides the size of buffers. */
  constructor(socket: Deno.TcpConn, handler: RegistryHandler, connections: () => number) {
    this.#socket = socket;
    this.#handler = handler;
    this.#connections = connections;
  }

  /** Answers until the client or the server ends it; never rejects. */
  async run(): Promise<void> {
    try {
      this.#socket.setNoDelay(true);
      while (!this.#last && await this.#next()) {
        this.#busy = false;
      }
    } catch {
      // The client is gone, or a body broke off: the closed connection says so.
    } finally {
      this.abort();
    }
  }

  /** Ends it after the request in flight. */
  finish(): void {
    this.#last = true;
    if (!this.#busy) this.abort();
  }

  /** Ends it now. */
  abort(): void {
    this.#control.abort();
    try {
      this.#socket.close();
    } catch {
      // Closed before.
    }
  }

  /** Answers one request; whether another may follow. */
  async #next(): Promise<boolean> {
    const bytes = await this.#timed(IDLE_TIMEOUT, this.#readHead());
    if (bytes === undefined) return false;
    this.#busy = true;
    const head = parseHead(bytes);
    const request = head && requestOf(head, this.#control.signal);
    if (head === undefined || request === undefined) {
      await this.#write(responseHead(400, [["content-length", "0"], ["connection", "close"]]));
      return false;
    }
    const response = await this.#handler(request);
    const keepAlive = head.keepAlive && !head.hasBody && !this.#last && hasLength(response);
    await this.#answer(response, head.method, keepAlive);
    if (head.hasBody) await this.#timed(DRAIN_TIMEOUT, this.#drain());
    return keepAlive;
  }

  /** The bytes of the next head; `undefined` at the end of the connection or when it is too long. */
  async #readHead(): Promise<Uint8Array | undefined> {
    for (;;) {
      const end = headEnd(this.#head.subarray(0, this.#held));
      if (end > 0) {
        const bytes = this.#head.slice(0, end);
        this.#head.copyWithin(0, end, this.#held);
        this.#held -= end;
        return bytes;
      }
      if (this.#held === MAX_HEAD) return undefined;
      // No method begins so; it is TLS. containerd tries that first on loopback and goes on with
      // plain HTTP at once when it is answered in HTTP, but after ten seconds when it is not.
      if (this.#held > 0 && !isCapital(this.#head[0])) return this.#head.slice(0, this.#held);
      const count = await this.#socket.read(this.#head.subarray(this.#held));
      if (count === null) return undefined;
      this.#held += count;
    }
  }

  async #answer(response: Response, method: string, keepAlive: boolean): Promise<void> {
    const { body, headers, status } = response;
    headers.set("date", new Date().toUTCString());
    headers.set("connection", keepAlive ? "keep-alive" : "close");
    const length = headers.get("content-length");
    if (body === null && length === null && status !== 304) headers.set("content-length", "0");
    await this.#writeOr(body, responseHead(status, headers));
    if (body === null) return;
    if (method === "HEAD") return await body.cancel();
    await this.#send(body, length === null ? LARGE_BUFFER : Number(length));
  }

  async #send(body: ReadableStream<Uint8Array>, length: number): Promise<void> {
    const reader = byteReader(body);
    if (reader === undefined) {
      for await (const chunk of body) await this.#write(chunk);
      return;
    }
    const few = this.#connections() <= LARGE_BUFFER_CONNECTIONS;
    let buffer = new Uint8Array(
      Math.max(1, Math.min(length, few ? LARGE_BUFFER : SMALL_BUFFER)),
    );
    for (;;) {
      const { value, done } = await reader.read(buffer);
      if (done) return;
      await this.#writeOr(reader, value);
      buffer = new Uint8Array(value.buffer);
    }
  }

  /** Writes, and gives `source` up when that fails: its file or connection is then closed. */
  async #writeOr(
    source: { cancel(reason?: unknown): Promise<void> } | null,
    bytes: Uint8Array,
  ): Promise<void> {
    try {
      await this.#write(bytes);
    } catch (error) {
      await source?.cancel(error).catch(() => {});
      throw error;
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      written += await this.#timed(WRITE_TIMEOUT, this.#socket.write(bytes.subarray(written)));
    }
  }

  async #drain(): Promise<void> {
    await this.#socket.closeWrite();
    const buffer = new Uint8Array(SMALL_BUFFER);
    for (let drained = 0; drained < MAX_DRAIN;) {
      const count = await this.#socket.read(buffer);
      if (count === null) return;
      drained += count;
    }
  }

  /** Cuts the connection when `promise` takes too long, which makes it reject. */
  async #timed<T>(ms: number, promise: Promise<T>): Promise<T> {
    const timer = setTimeout(() => this.abort(), ms);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}

function isCapital(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x41 && byte <= 0x5a;
}

function requestOf(head: RequestHead, signal: AbortSignal): Request | undefined {
  try {
    const { method, headers } = head;
    // Only path and query matter to the handler; a client's Host header is not trusted with more.
    return new Request(`http://registry${head.target}`, { method, headers, signal });
  } catch {
    return undefined;
  }
}

/** Whether the client can tell where the body ends; otherwise the closed connection tells it. */
function hasLength({ body, headers }: Response): boolean {
  return body === null || headers.has("content-length");
}

function byteReader(
  body: ReadableStream<Uint8Array>,
): ReadableStreamBYOBReader | undefined {
  try {
    return body.getReader({ mode: "byob" });
  } catch {
    return undefined;
  }
}
