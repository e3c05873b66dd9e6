import { describeError } from "../std/mod.ts";
import { hostOf } from "./node_address.ts";

/** What listens where an API server would: one of this site, something else, or nothing. */
export type ApiProbe =
  | { readonly kind: "ours" }
  | { readonly kind: "other"; readonly text: string }
  | { readonly kind: "nothing" };

/** Milliseconds for connecting, and for the handshake. */
const PROBE_TIMEOUT = 3_000;

/**
 * Whether an API server of a site answers. What takes a connection and ends it, as a load balancer
 * with nothing behind it, is nothing.
 */
export class ApiProber {
  /** Connections that are being made: the kernel tries for minutes, and cannot be told to stop. */
  readonly #connecting = new Map<string, Promise<Deno.TcpConn | undefined>>();

  /** @param authorities Certificates that may have signed an API server's, PEM. */
  async probe(
    { host, port }: { readonly host: string; readonly port: number },
    authorities: readonly string[],
  ): Promise<ApiProbe> {
    const place = `${hostOf(host)}:${port}`;
    const connecting = this.#connecting.get(place) ?? this.#connect(place, host, port);
    const connection = await within(PROBE_TIMEOUT, connecting);
    if (connection === undefined) return { kind: "nothing" };
    this.#connecting.delete(place);
    try {
      using tls = await Deno.startTls(connection, { hostname: host, caCerts: [...authorities] });
      const done = await within(PROBE_TIMEOUT, tls.handshake());
      return { kind: done === undefined ? "nothing" : "ours" };
    } catch (error) {
      // A certificate for another name, or of another time, is still one that somebody has.
      if (!(error instanceof Deno.errors.InvalidData)) return { kind: "nothing" };
      return {
        kind: "other",
        text: `${place} is no API server of this site: ${describeError(error)}`,
      };
    }
  }

  async #connect(
    place: string,
    hostname: string,
    port: number,
  ): Promise<Deno.TcpConn | undefined> {
    const connecting = Deno.connect({ hostname, port }).catch(() => undefined);
    this.#connecting.set(place, connecting);
    const connection = await connecting;
    if (connection === undefined) this.#connecting.delete(place);
    return connection;
  }
}

/** What comes within some milliseconds, or undefined. */
async function within<T>(ms: number, coming: Promise<T>): Promise<T | undefined> {
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), ms);
  // What fails later has nobody to tell.
  coming.catch(() => {});
  try {
    return await Promise.race([coming, promise]);
  } finally {
    clearTimeout(timer);
  }
}
