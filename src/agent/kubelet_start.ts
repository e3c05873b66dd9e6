import * as v from "valibot";
import { parseImageReference } from "../refs/mod.ts";
import type { Upstream } from "../registry/mod.ts";
import { type Clock, describeError, type Logger, systemClock } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { RESOURCES, TalosClient } from "../talos/mod.ts";
import { type Occasion, whenAborted } from "./signals.ts";

/** Milliseconds between two attempts to reach machined. */
const RETRY_INTERVAL = 5_000;
/** Milliseconds between two looks elsewhere. */
const LOOK_INTERVAL = 10_000;

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

/** What {@linkcode startKubeletFrom} works with. */
export interface KubeletLook extends Pick<KubeletStart, "socket" | "alone" | "logger" | "clock"> {
  /** Where the kubelet's image may come to be, without an arrival here. */
  readonly elsewhere: Pick<Upstream, "manifest">;
}

const kubeletSchema = v.object({ image: v.string() });

/** The same when another machine has the kubelet's image, which is looked for every ten seconds. */
export async function startKubeletFrom(options: KubeletLook, signal: AbortSignal): Promise<void> {
  const { socket, alone, elsewhere, logger, clock = systemClock } = options;
  for (;;) {
    await clock.sleep(LOOK_INTERVAL, signal);
    if (signal.aborted || !alone()) return;
    try {
      using client = new TalosClient(socket);
      const resource = await client.resource(RESOURCES.kubeletSpec, { signal });
      if (resource === undefined) continue;
      const { image } = v.parse(kubeletSchema, resource.spec);
      const { host, path, tag, digest = tag ?? "" } = parseImageReference(image);
      const found = await elsewhere.manifest(path, digest, host, signal);
      if (found !== undefined) await client.startService("kubelet", { signal });
    } catch (error) {
      logger.debug(`the kubelet was not started: ${describeError(error)}`);
    }
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
