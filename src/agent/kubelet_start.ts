import { type Clock, describeError, type Logger, systemClock } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { TalosClient } from "../talos/mod.ts";
import { type Occasion, whenAborted } from "./signals.ts";

/** Milliseconds between two attempts to reach machined. */
const RETRY_INTERVAL = 5_000;

/** What {@linkcode startKubelet} works with. */
export interface KubeletStart {
  /** machined's socket. */
  readonly socket: string;
  readonly store: Store;
  /** Whether there is no cluster yet. */
  readonly alone: () => boolean;
  /** Happens when there is a new package, or `alone` may have changed. */
  readonly arrivals: Occasion;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/**
 * Has Talos start the kubelet whenever a package has come with images, until there is a cluster. One
 * that runs or is still asking for its image is left alone. One whose image did not come within twenty
 * minutes has failed, and nothing in Talos starts it again (Talos 1.13, system.go and
 * services/kubelet.go). Of etcd Talos lets nobody ask it: that is started by its bootstrap, or with the
 * machine.
 */
export async function startKubelet(options: KubeletStart, signal: AbortSignal): Promise<void> {
  const { store, alone, arrivals, clock = systemClock } = options;
  while (!signal.aborted && alone()) {
    const { next } = arrivals;
    const done = !hasImages(store) || await started(options, signal);
    await (done ? whenAborted(next, signal) : clock.sleep(RETRY_INTERVAL, signal));
  }
}

function hasImages({ records }: Store): boolean {
  return records.listPackages().some(({ digest }) => records.images(digest).length > 0);
}

async function started({ socket, logger }: KubeletStart, signal: AbortSignal): Promise<boolean> {
  try {
    using client = new TalosClient(socket);
    await client.startService("kubelet", { signal });
    return true;
  } catch (error) {
    logger.debug(`the kubelet could not be started: ${describeError(error)}`);
    return false;
  }
}
