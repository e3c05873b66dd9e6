import type { Clock } from "../std/mod.ts";
import { TalosClient } from "../talos/mod.ts";

/** Milliseconds between two attempts to ask machined. */
const RETRY_INTERVAL = 2_000;
/** Milliseconds after which a watch begins anew: a connection may be dead without a word. */
const WATCH_TIME = 10 * 60_000;

/** What {@linkcode watchTalos} works with. */
export interface TalosWatchOptions {
  /** machined's socket. */
  readonly socket: string;
  /** Reads and watches until its signal aborts or machined ends it. */
  readonly follow: (client: TalosClient, signal: AbortSignal) => Promise<void>;
  /** Told what went wrong; it is tried again. */
  readonly complain: (error: unknown) => void;
  readonly clock: Clock;
}

/** Follows something that Talos knows, again and again, until the signal aborts. */
export async function watchTalos(options: TalosWatchOptions, signal: AbortSignal): Promise<void> {
  const { socket, follow, complain, clock } = options;
  while (!signal.aborted) {
    const watch = AbortSignal.any([signal, AbortSignal.timeout(WATCH_TIME)]);
    try {
      using client = new TalosClient(socket);
      await follow(client, watch);
    } catch (error) {
      if (signal.aborted) return;
      if (!watch.aborted) complain(error);
    }
    if (!watch.aborted) await clock.sleep(RETRY_INTERVAL, signal);
  }
}
