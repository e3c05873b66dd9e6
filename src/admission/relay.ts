import { type Clock, systemClock } from "../std/mod.ts";

/** Connections at once; an API server needs one for each 200 requests in flight. */
export const MAX_CONNECTIONS = 512;
/**
 * Milliseconds without a byte after which a connection is closed. An API server pings a connection
 * that is silent for 30 s and closes one that is unused for 90 s (apimachinery 0.36,
 * pkg/util/net/http.go), so no request is lost by it.
 */
const IDLE_TIMEOUT = 300_000;
/** Milliseconds that the other direction has to end in after one has. */
const HALF_OPEN_TIMEOUT = 10_000;
/** Milliseconds between two looks for such connections. */
const SWEEP_INTERVAL = 5_000;
/** Milliseconds after which a failed `accept`, as when there are no file descriptors, is tried again. */
const ACCEPT_PAUSE = 100;
/** Bytes that one direction of a connection holds: the largest TLS record is a little more. */
const BUFFER_BYTES = 16 << 10;

/** Where connections go. */
export interface RelayTarget {
  readonly address: Deno.NetAddr;
  /** A connection is about to be opened to it. */
  begun(): void;
  /** A connection that was begun is closed. */
  ended(): void;
}

/** What {@linkcode Relay} works with. */
export interface RelayOptions {
  readonly hostname: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** Where a connection that begins now goes. */
  readonly target: () => RelayTarget;
  readonly clock?: Clock;
}

/**
 * Passes TCP connections on, each to where they go at the moment at which it begins.
 *
 * Nothing of it is kept: a reader that does not read holds up its writer, one direction may end before
 * the other, and a connection that fails takes the other half with it.
 */
export class Relay {
  /** Resolves when nothing is listened on and no connection is left. */
  readonly finished: Promise<void>;
  readonly #listener: Deno.TcpListener;
  readonly #target: () => RelayTarget;
  readonly #clock: Clock;
  readonly #connections = new Set<Connection>();
  readonly #closed = new AbortController();
  /** It is closed, and no connection is left. */
  readonly #ended = new AbortController();

  /** @throws what `Deno.listen` throws. */
  constructor({ hostname, port, target, clock = systemClock }: RelayOptions) {
    this.#listener = Deno.listen({ hostname, port });
    this.#target = target;
    this.#clock = clock;
    this.finished = Promise.all([this.#accept(), this.#sweep()]).then(() => {});
  }

  get address(): Deno.NetAddr {
    return this.#listener.addr;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Takes no new connections; those that there are go on. */
  close(): void {
    if (this.#closed.signal.aborted) return;
    this.#closed.abort();
    this.#listener.close();
    this.#settle();
  }

  /** Breaks off every connection. */
  breakOff(): void {
    for (const connection of this.#connections) connection.close();
  }

  async #accept(): Promise<void> {
    const { signal } = this.#closed;
    while (!signal.aborted) {
      try {
        this.#take(await this.#listener.accept());
      } catch {
        if (!signal.aborted) await this.#clock.sleep(ACCEPT_PAUSE, signal);
      }
    }
  }

  #take(client: Deno.TcpConn): void {
    if (this.#connections.size >= MAX_CONNECTIONS) this.#longestSilent()?.close();
    const target = this.#target();
    const connection = new Connection(client, this.#clock);
    this.#connections.add(connection);
    target.begun();
    void connection.run(target.address).then(() => {
      this.#connections.delete(connection);
      target.ended();
      this.#settle();
    });
  }

  /** Who opens many and says nothing loses them before an API server, which pings, loses its own. */
  #longestSilent(): Connection | undefined {
    let found: Connection | undefined;
    for (const connection of this.#connections) {
      if (found === undefined || connection.lastByte < found.lastByte) found = connection;
    }
    return found;
  }

  async #sweep(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await this.#clock.sleep(SWEEP_INTERVAL, signal);
      const now = this.#clock.monotonic();
      for (const connection of this.#connections) {
        if (now - connection.lastByte > connection.patience) connection.close();
      }
    }
  }

  #settle(): void {
    if (this.#closed.signal.aborted && this.#connections.size === 0) this.#ended.abort();
  }
}

/** A client's connection and the one that it is passed on to. */
class Connection {
  readonly #client: Deno.TcpConn;
  readonly #clock: Clock;
  #server: Deno.TcpConn | undefined;
  #closed = false;
  /** When a byte went through last, or it began, by the monotonic clock. */
  lastByte: number;
  /** Milliseconds that it may be silent. */
  patience = IDLE_TIMEOUT;

  constructor(client: Deno.TcpConn, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
    this.lastByte = clock.monotonic();
  }

  /** Resolves when both halves are closed; it never throws. */
  async run(target: Deno.NetAddr): Promise<void> {
    try {
      this.#server = await Deno.connect({ hostname: target.hostname, port: target.port });
      if (this.#closed) return;
      // Else the kernel would hold a small record back until the one before is acknowledged.
      this.#client.setNoDelay();
      this.#server.setNoDelay();
      await Promise.all([
        this.#copy(this.#client, this.#server),
        this.#copy(this.#server, this.#client),
      ]);
    } catch {
      // Either half broke: that is the end of both, and nothing that anybody here could mend.
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#closed = true;
    for (const half of [this.#client, this.#server]) {
      try {
        half?.close();
      } catch {
        // It was closed before.
      }
    }
  }

  async #copy(from: Deno.TcpConn, to: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(BUFFER_BYTES);
    for (;;) {
      const size = await from.read(buffer);
      this.lastByte = this.#clock.monotonic();
      if (size === null) break;
      for (let sent = 0; sent < size;) sent += await to.write(buffer.subarray(sent, size));
    }
    this.patience = HALF_OPEN_TIMEOUT;
    await to.closeWrite();
  }
}
