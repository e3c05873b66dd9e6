import { createRegistry, createRegistryMetrics } from "../registry/mod.ts";
import { type Clock, describeError, type Logger } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { Challenge } from "./peer_challenge.ts";
import { CHALLENGE_HEADER, type ImageKey, IMAGES_PATH, MAX_TARGET } from "./peer_question.ts";

/** Blobs that are sent to other machines at once. */
export const MAX_SENDING = 64;
/** Milliseconds for which a machine that takes nothing any more is waited for. */
export const TAKE_TIMEOUT = 30_000;
/** What can be asked for; the registry checks the rest. */
const TARGET = new RegExp(`^${IMAGES_PATH}(/v2/[^?#]+/(?:manifests|blobs)/[^/?#]+(?:\\?[^#]*)?)$`);

/** What {@linkcode createImageHandler} works with. */
export interface ImageServing {
  readonly store: Pick<Store, "blobs" | "records">;
  /** The site's key, once Talos has the token. @throws when Talos cannot be asked. */
  readonly key: () => Promise<ImageKey | undefined>;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Milliseconds. @default {@linkcode TAKE_TIMEOUT} */
  readonly takeTimeout?: number;
}

/**
 * Serves what the store has, and nothing that it would have to ask for itself, to machines of the
 * site. Whoever is none learns a challenge, and always the same whatever is wrong with the question.
 */
export function createImageHandler(
  serving: ImageServing,
): (request: Request) => Promise<Response> {
  const { store, logger, takeTimeout = TAKE_TIMEOUT } = serving;
  const challenge = new Challenge(serving.clock);
  const metrics = createRegistryMetrics();
  const registry = createRegistry({ store, upstreams: [], logger, metrics });
  return async (request) => {
    const { pathname, search } = new URL(request.url);
    const target = pathname + search;
    if (target.length > MAX_TARGET) return refused(414);
    const [, path] = TARGET.exec(target) ?? [];
    if (request.method !== "GET" || path === undefined) return refused(404);
    let key: ImageKey | undefined;
    try {
      key = await serving.key();
    } catch (error) {
      logger.debug(`another machine is not answered: ${describeError(error)}`);
    }
    if (key === undefined) return refused(503);
    const question = key.asked(request, target);
    if (question === undefined || !challenge.take(question)) {
      return refused(401, { [CHALLENGE_HEADER]: challenge.text });
    }
    if (metrics.activeStreams >= MAX_SENDING) return refused(503);
    // Without the asker's headers: it gets the whole of a thing or nothing.
    const { status, headers, body } = await registry(
      new Request(`http://store${path}`, { signal: request.signal }),
    );
    const answer = key.answer(question, status, headers);
    // The bytes are what was signed.
    answer.set("cache-control", "no-store, no-transform");
    const isBlob = body !== null && status === 200 && path.includes("/blobs/");
    return new Response(isBlob ? takenBody(body, takeTimeout) : body, { status, headers: answer });
  };
}

function refused(status: number, headers: Record<string, string> = {}): Response {
  return new Response(null, { status, headers });
}

/** The same body, which ends with an error when nothing of it is taken for `timeout` milliseconds. */
function takenBody(
  body: ReadableStream<Uint8Array>,
  timeout: number,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const giveUp = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    controller.error(new Error("nothing was taken any more"));
    reader.cancel().catch(() => {});
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      timer = setTimeout(giveUp, timeout, controller);
    },
    async pull(controller) {
      clearTimeout(timer);
      const { value, done } = await reader.read();
      if (done) return controller.close();
      controller.enqueue(value);
      timer = setTimeout(giveUp, timeout, controller);
    },
    async cancel(reason) {
      clearTimeout(timer);
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}
