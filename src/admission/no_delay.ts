/** `<netinet/in.h>` and `<netinet/tcp.h>` of Linux. */
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
/** In `/proc/net/tcp` (Linux, Documentation/networking/proc_net_tcp.rst): the state of a listener. */
const LISTENING = "0A";
/** 127.0.0.1 in it. */
const LOOPBACK = "0100007F";

/**
 * Makes connections that a listener on 127.0.0.1 accepts send at once (TCP_NODELAY, which they inherit
 * from it on Linux).
 *
 * Deno 2.7 sets it for no connection of `Deno.serve`, and has no call for it. The kernel then holds an
 * answer back until the one before it is acknowledged, for up to 40 ms: of a hundred answers on one
 * HTTP/2 connection nearly all.
 *
 * @returns `false` where it cannot be set; connections work there, too, only later.
 */
export function sendAtOnce(port: number): boolean {
  try {
    const fd = descriptorOf(port);
    return fd !== undefined && setNoDelay(fd);
  } catch {
    // Another operating system, or a libc of another name.
    return false;
  }
}

function descriptorOf(port: number): number | undefined {
  const address = `${LOOPBACK}:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const sockets = Deno.readTextFileSync("/proc/self/net/tcp").split("\n");
  const fields = sockets.map((line) => line.trim().split(/\s+/))
    .find(([, local, , state]) => local === address && state === LISTENING);
  const inode = fields?.[9];
  if (inode === undefined) return undefined;
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    if (linkAt(`/proc/self/fd/${name}`) === `socket:[${inode}]`) return Number(name);
  }
  return undefined;
}

/** Descriptors come and go while they are listed. */
function linkAt(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}

function setNoDelay(fd: number): boolean {
  const libc = Deno.dlopen(
    "libc.so.6",
    { setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" } } as const,
  );
  try {
    const on = new Int32Array([1]);
    return libc.symbols.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, on, on.byteLength) === 0;
  } finally {
    libc.close();
  }
}
