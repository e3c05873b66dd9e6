import { dial, writeAll } from "./supervisor.ts";

/** How much is copied at once, in bytes. */
const CHUNK = 64 << 10;

/** A port of the host that leads into a node. */
export interface Forward extends AsyncDisposable {
  /** `127.0.0.1:<port>` on the host. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Listens on a free port of the host's loopback and joins every connection to `address` as the node
 * sees it. A connection that the node refuses is closed without a byte.
 */
export function forward(socket: string, address: string): Forward {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open = new Set<Promise<void>>();
  const connections = new Set<Deno.Conn>();
  const accepting = (async () => {
    for await (const outer of listener) {
      const joined = join(outer, socket, address, connections).catch(() => {});
      open.add(joined);
      joined.finally(() => open.delete(joined));
    }
  })();
  const close = async () => {
    listener.close();
    connections.forEach(closeQuietly);
    await Promise.all([accepting, ...open]);
  };
  return {
    address: `127.0.0.1:${listener.addr.port}`,
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function join(
  outer: Deno.Conn,
  socket: string,
  address: string,
  connections: Set<Deno.Conn>,
): Promise<void> {
  connections.add(outer);
  let inner: Deno.Conn | undefined;
  try {
    inner = await dial(socket, address);
    connections.add(inner);
    await Promise.all([pump(outer, inner), pump(inner, outer)]);
  } finally {
    for (const connection of [outer, inner]) {
      if (connection === undefined) continue;
      connections.delete(connection);
      closeQuietly(connection);
    }
  }
}

/** Copies until the source has no more, and passes that on. */
async function pump(from: Deno.Conn, to: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(CHUNK);
  for (let count; (count = await from.read(buffer)) !== null;) {
    await writeAll(to, buffer.subarray(0, count));
  }
  await to.closeWrite();
}

function closeQuietly(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch {
    // Already closed by the other side of the pair.
  }
}
