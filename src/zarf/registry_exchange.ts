/** One connection; it is closed when nothing moves for too long or the signal aborts. */
export class Exchange {
  /** Why it was closed from here, if it was. */
  failure: unknown;
  readonly #signal: AbortSignal | undefined;
  readonly #abort: () => void;
  readonly #timeout: number;
  readonly #closed = Promise.withResolvers<never>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #connection: Deno.Conn | undefined;
  #ended = false;

  /** @param timeout Milliseconds. */
  constructor(timeout: number, signal: AbortSignal | undefined) {
    this.#timeout = timeout;
    this.#signal = signal;
    this.#abort = () => this.#fail(signal?.reason);
    this.#closed.promise.catch(() => {});
  }

  /**
   * Connects to the host of a URL, by TLS where it says `https:`.
   *
   * @param authorities who may have signed its certificate, as PEM, beside those of the runtime.
   */
  async connect(
    { protocol, hostname, port }: URL,
    authorities: () => readonly string[],
  ): Promise<void> {
    this.#signal?.throwIfAborted();
    this.#signal?.addEventListener("abort", this.#abort, { once: true });
    this.#moved();
    const isTls = protocol === "https:";
    const target = {
      // An IPv6 address is taken without its brackets.
      hostname: hostname.replace(/^\[|\]$/g, ""),
      port: port === "" ? isTls ? 443 : 80 : Number(port),
    };
    const opening: Promise<Deno.Conn> = isTls
      ? Deno.connectTls({ ...target, caCerts: [...authorities()] })
      : Deno.connect(target);
    const connecting = opening.then((connection) => {
      if (this.#ended) connection.close();
      else this.#connection = connection;
    });
    await Promise.race([connecting, this.#closed.promise]);
  }

  /** See {@linkcode ReadBytes}. */
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

  /** Closes it. */
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

  get #open(): Deno.Conn {
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
