import { type FetchedManifest, RegistryError, type Upstream } from "../registry/mod.ts";
import { describeError, type Logger, systemClock } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { type Occasion, whenAborted } from "./signals.ts";
import { storedManifest } from "./upstreams.ts";

/**
 * How long Talos is made to wait for an image that no package has brought, in milliseconds. Its
 * client waits for a first byte as long as it takes, and asks once more after a 503; of the twenty
 * minutes that Talos spends on one image this leaves few seconds in which nobody asks (Talos 1.13,
 * internal/pkg/containers/image: 0, 5, 15, 35, 75 … seconds between two attempts).
 */
export const IMAGE_WAIT = 120_000;
/** Requests that are made to wait at once. */
export const MAX_WAITING = 32;
/** Milliseconds between two looks elsewhere for an image that is waited for. */
const LOOK_INTERVAL = 3_000;

/** What {@linkcode awaitedUpstream} works with. */
export interface AwaitedImages {
  readonly store: Store;
  /** Whether packages on this node are all that an image can come from. */
  readonly alone: () => boolean;
  /** Happens when there is a new package, or `alone` may have changed. */
  readonly arrivals: Occasion;
  /** Where an image may come to be meanwhile that was not there before. */
  readonly elsewhere?: Pick<Upstream, "manifest">;
  readonly logger: Logger;
  /** Milliseconds. @default {@linkcode IMAGE_WAIT} */
  readonly wait?: number;
  /** Milliseconds between two looks elsewhere. @default 3 s */
  readonly lookInterval?: number;
}

/**
 * The images that Talos asks for while there is neither a cluster nor the package with them. Whoever
 * asks is made to wait, and then told that there is nothing now, which Talos takes for a reason to ask
 * again. "Not found" it believes: after the sixth, some two minutes after the start, it gives up the
 * kubelet and etcd until somebody starts the machine anew.
 */
export function awaitedUpstream(images: AwaitedImages): Upstream {
  let waiting = 0;
  return {
    name: "packages",
    async manifest(repository, reference, ns, signal) {
      // Without a host nobody asks for Talos.
      if (ns === undefined || !images.alone()) return undefined;
      const image = `${ns}/${repository}${reference.includes(":") ? "@" : ":"}${reference}`;
      if (waiting >= MAX_WAITING) throw notYet(image);
      waiting++;
      try {
        images.logger.info("an image is waited for: no package has brought it yet", { image });
        const found = await arrived(images, {
          here: () => storedManifest(images.store, repository, reference, ns),
          elsewhere: (over) => images.elsewhere?.manifest(repository, reference, ns, over),
        }, signal);
        if (found === undefined && images.alone()) throw notYet(image);
        return found;
      } finally {
        waiting--;
      }
    },
    blob: () => Promise.resolve(undefined),
  };
}

/** The two places where an image may come to be. */
interface Places {
  readonly here: () => FetchedManifest | undefined;
  readonly elsewhere: (signal: AbortSignal) => Promise<FetchedManifest | undefined> | undefined;
}

/** Looks after each arrival; undefined when the time is over or nobody waits any more. */
async function arrived(
  images: AwaitedImages,
  { here, elsewhere }: Places,
  signal: AbortSignal,
): Promise<FetchedManifest | undefined> {
  const { alone, arrivals, wait = IMAGE_WAIT } = images;
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(), wait);
  let came: FetchedManifest | undefined;
  // Beside it: what comes to be here must not wait for somebody else's answer.
  lookElsewhere(images, elsewhere, over.signal).then((found) => {
    came = found;
    over.abort();
  });
  try {
    for (;;) {
      const { next } = arrivals;
      const found = here() ?? came;
      if (found !== undefined || !alone() || over.signal.aborted || signal.aborted) return found;
      await whenAborted(next, over.signal, signal);
    }
  } finally {
    clearTimeout(timer);
    over.abort();
  }
}

/** Looks again and again until it is over. Never throws. */
async function lookElsewhere(
  { logger, lookInterval = LOOK_INTERVAL }: AwaitedImages,
  elsewhere: Places["elsewhere"],
  over: AbortSignal,
): Promise<FetchedManifest | undefined> {
  for (;;) {
    await systemClock.sleep(lookInterval, over);
    if (over.aborted) return undefined;
    try {
      const found = await elsewhere(over);
      if (found !== undefined) return found;
    } catch (error) {
      logger.debug(`nobody else has an image that is waited for: ${describeError(error)}`);
    }
  }
}

function notYet(image: string): RegistryError {
  return new RegistryError({
    reason: "UpstreamTimeout",
    message: `no package has brought ${image} yet, and there is no cluster that may have it`,
    remedy: "drop a package with it on this node or on a control plane",
    disposition: "wait",
  });
}
