import { type Digest, Digester } from "../std/mod.ts";
import type { BodyObserver } from "./body.ts";
import { RegistryError } from "./errors.ts";
import type { FetchedBlob } from "./types.ts";

/**
 * Passes a blob through while it is hashed. The last chunk is held back until the digest is known to
 * be right: a wrong or short blob breaks the connection, and no client takes it for whole.
 */
export function verifiedBody(
  blob: FetchedBlob,
  digest: Digest,
  observer: BodyObserver,
): ReadableStream<Uint8Array> {
  const digester = new Digester();
  const reader = blob.body.getReader();
  let held: Uint8Array | undefined;
  let taken = 0;
  let ended = false;
  const end = () => {
    if (!ended) observer.onEnd();
    ended = true;
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          digester.update(value);
          taken += value.length;
          if (taken > blob.size) throw wrong(digest, "is longer than announced");
          const ready = held;
          held = value;
          if (ready === undefined) continue;
          observer.onBytes(ready.length);
          controller.enqueue(ready);
          return;
        }
        if (taken !== blob.size) throw wrong(digest, "is shorter than announced");
        if (digester.finish() !== digest) throw wrong(digest, "has other bytes");
        if (held !== undefined) {
          observer.onBytes(held.length);
          controller.enqueue(held);
        }
        end();
        controller.close();
      } catch (error) {
        end();
        reader.cancel(error).catch(() => {});
        controller.error(error);
      }
    },
    async cancel(reason) {
      end();
      await reader.cancel(reason).catch(() => {});
    },
  }, { highWaterMark: 0 });
}

function wrong(digest: Digest, why: string): RegistryError {
  return new RegistryError({
    reason: "UpstreamInvalid",
    message: `blob ${digest} of the other registry ${why}`,
    disposition: "retry",
  });
}
