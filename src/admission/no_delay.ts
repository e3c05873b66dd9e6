/** setsockopt's level and name (linux, netinet/tcp.h). */
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
/** State of a socket that listens (linux, net/tcp_states.h), as /proc/net/tcp writes it. */
const LISTEN = "0A";

/**
 * Makes connections that the listener at `address` accepts send small records at once. Deno 2.7 sets
 * TCP_NODELAY on what it connects, and offers it for what `Deno.listen` accepts, but not for what
 * `Deno.serve` does: over HTTP/2 an answer then waits for the acknowledgement of a small frame before
 * it, which the client's kernel delays by 40 ms. Linux hands the option of a listening socket on to
 * what it accepts.
 *
 * @param address An IPv4 address of this process, which listens.
 * @returns whether it was set; without it everything works, only slower.
 */
export function sendAtOnce(address: Deno.NetAddr): boolean {
  try {
    const socket = descriptorOf(address);
    return socket !== undefined && setOption(socket);
  } catch {
    return false;
  }
}

function setOption(socket: number): boolean {
  // It is loaded already: the runtime itself is linked with it.
  const libc = Deno.dlopen("libc.so.6", {
    setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  });
  try {
    const on = Int32Array.of(1);
    return libc.symbols.setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, on, on.byteLength) === 0;
  } finally {
    libc.close();
  }
}

/** The file descriptor of the socket that listens at `address`. */
function descriptorOf({ hostname, port }: Deno.NetAddr): number | undefined {
  const local = `${hexOf(hostname)}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const inode = Deno.readTextFileSync("/proc/self/net/tcp").split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find(([, address, , state]) => address === local && state === LISTEN)?.[9];
  if (inode === undefined) return undefined;
  const found = Array.from(Deno.readDirSync("/proc/self/fd"), ({ name }) => name)
    .find((name) => linkOf(`/proc/self/fd/${name}`) === `socket:[${inode}]`);
  return found === undefined ? undefined : Number(found);
}

/** The kernel writes the address as a number of the machine's byte order, which is little-endian. */
function hexOf(hostname: string): string {
  const bytes = hostname.split(".").map((part) => Number(part).toString(16).padStart(2, "0"));
  return bytes.reverse().join("").toUpperCase();
}

/** A descriptor may be gone by the time it is looked at. */
function linkOf(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}
