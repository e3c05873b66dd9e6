/**
 * Loopback ports that tests and the demo give to programs that they start. They are below those that
 * Linux gives to connections by itself (ip-sysctl, `ip_local_port_range`), of which one could take an
 * address between its choice and the start, or between two starts of one program.
 */
const FIRST_PORT = 20_000;
const PORTS = 9_000;

/** Where this process looks next: elsewhere than others, and never twice at one. */
let next = Math.floor(Math.random() * PORTS);

/** An address of the loopback that nobody listens on now; another one each time. */
export function freeAddress(): string {
  return `127.0.0.1:${freePort()}`;
}

/** A port of an address, as {@linkcode freeAddress} has it of the loopback. */
export function freePort(hostname = "127.0.0.1"): number {
  for (let tries = 0; tries < PORTS; tries++) {
    const port = FIRST_PORT + next++ % PORTS;
    try {
      using _listener = Deno.listen({ hostname, port });
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error(`no port from ${FIRST_PORT} on is free`);
}
