/** How far a {@linkcode StuckSocket} lets an answer through. */
export interface StuckMode {
  /** Bytes of each connection's answers; without it all. */
  readonly bytes?: number;
  /** What comes after these: nothing more, or the connection's end. */
  readonly then?: "hang" | "end";
}

/**
 * A unix socket in front of another one, which lets through only so much of what the other says: a
 * program that takes connections and has stopped answering, or dies within an answer.
 */
export class StuckSocket implements Disposable {
  readonly #target: string;
  readonly #listener: Deno.UnixListener;
  readonly #open = new Set<Deno.UnixConn>();
  /** For connections from now on. */
  mode: StuckMode;
  /** How many connections were taken. */
  taken = 0;

  constructor(path: string, target: string, mode: StuckMode) {
    this.#target = target;
    this.mode = mode;
    this.#listener = Deno.listen({ transport: "unix", path });
    void this.#accept();
  }

  /** Ends every connection. */
  drop(): void {
    for (const connection of this.#open) close(connection);
    this.#open.clear();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    this.drop();
  }

  async #accept(): Promise<void> {
    for await (const client of this.#listener) {
      this.taken++;
      this.#open.add(client);
      void this.#serve(client, this.mode).catch(() => close(client));
    }
  }

  async #serve(client: Deno.UnixConn, { bytes = Infinity, then = "hang" }: StuckMode) {
    if (bytes === 0 && then === "hang") return;
    const server = await Deno.connect({ transport: "unix", path: this.#target });
    this.#open.add(server);
    void passed(client, server, Infinity).finally(() => close(server));
    await passed(server, client, bytes);
    if (then === "end" || bytes === Infinity) close(client);
  }
}

/** Passes on what one says, up to so many bytes. */
async function passed(from: Deno.UnixConn, to: Deno.UnixConn, bytes: number): Promise<void> {
  const buffer = new Uint8Array(16 << 10);
  try {
    for (let left = bytes; left > 0;) {
      const count = await from.read(buffer.subarray(0, Math.min(buffer.length, left)));
      if (count === null) return;
      left -= count;
      for (let at = 0; at < count;) at += await to.write(buffer.subarray(at, count));
    }
  } catch {
    // One of both is gone.
  }
}

function close(connection: Deno.UnixConn): void {
  try {
    connection.close();
  } catch {
    // It was closed before.
  }
}
