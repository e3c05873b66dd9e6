import {
  backoffDelay,
  type Clock,
  Complaints,
  describeError,
  type Logger,
  systemClock,
} from "../std/mod.ts";
import { whenAborted } from "./signals.ts";

/** Milliseconds between two looks at what is granted: at first, and at most. */
const LOOK = { initial: 1_000, max: 60_000 };

/** What {@linkcode withGrantedRights} works with. */
export interface GrantedRightsOptions {
  /** Whether deploying is granted now. */
  readonly ask: () => Promise<boolean>;
  /** Works with what is granted until the signal aborts. */
  readonly work: (mayDeploy: boolean, signal: AbortSignal) => Promise<void>;
  readonly logger: Logger;
  readonly clock?: Clock;
}

/**
 * Runs `work` with the rights that are granted, and begins it anew when they are others, until the
 * signal aborts. While nobody can say what is granted, it goes on as it was.
 */
export async function withGrantedRights(
  options: GrantedRightsOptions,
  signal: AbortSignal,
): Promise<void> {
  const { ask, work, logger, clock = systemClock } = options;
  let current: ReturnType<typeof started> | undefined;
  const complaints = new Complaints((text) =>
    logger.warn(`what this node may do cannot be asked: ${text}`)
  );
  for (let look = 0; !signal.aborted; look++) {
    try {
      const mayDeploy = await ask();
      complaints.settle();
      if (current?.mayDeploy !== mayDeploy) {
        await current?.end();
        logger.info(mayDeploy ? "this node may deploy" : "this node may serve, not deploy");
        current = started(work, mayDeploy, signal);
        look = 0;
      }
    } catch (error) {
      if (!signal.aborted) complaints.say(describeError(error));
    }
    const pause = clock.sleep(backoffDelay(look, LOOK), signal);
    // It ends by itself only when it cannot go on.
    await (current === undefined ? pause : Promise.race([pause, current.failed]));
  }
  await current?.end();
}

function started(
  work: GrantedRightsOptions["work"],
  mayDeploy: boolean,
  signal: AbortSignal,
) {
  const stop = new AbortController();
  void whenAborted(signal).then(() => stop.abort());
  const running = work(mayDeploy, stop.signal);
  const failed = Promise.withResolvers<never>();
  running.catch((error) => failed.reject(error));
  // Seen at the next pause, if not at once.
  failed.promise.catch(() => {});
  const end = async () => {
    stop.abort();
    await running;
  };
  return { mayDeploy, end, failed: failed.promise };
}
