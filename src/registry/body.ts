import type { OpenBlob } from "../store/mod.ts";
import type { ByteRange } from "./range.ts";

/** How many bodies are read in large chunks at once; each holds up to two of them. */
export const LARGE_CHUNK_STREAMS = 8;
/** One read of a blob while few are sent (facts: level with nginx for one client). */
const LARGE_CHUNK = 1 << 20;
/** One read of a blob while many are sent, to keep memory flat. */
const SMALL_CHUNK = 64 << 10;

/** What a body tells while it is sent. */
export interface BodyObserver {
  /** Called once, when the body is sent, given up or broken. */
  onEnd(): void;
  /** Called for each chunk. */
  onBytes(count: number): void;
}

/**
 * The bytes of an open blob. The file is closed when the last byte was read, when the client goes
 * away, and when a read fails.
 */
export function blobBody(
  blob: OpenBlob,
  range: ByteRange,
  activeStreams: number,
  observer: BodyObserver,
): ReadableStream<Uint8Array> {
  const { file } = blob;
  const chunkSize = activeStreams <= LARGE_CHUNK_STREAMS ? LARGE_CHUNK : SMALL_CHUNK;
  let remaining = range.end - range.start;
  if (range.start > 0) file.seekSync(range.start, Deno.SeekMode.Start);
  const end = once(() => {
    file.close();
    observer.onEnd();
  });
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const buffer = new Uint8Array(Math.min(chunkSize, remaining));
        const count = remaining === 0 ? 0 : await file.read(buffer);
        // A blob never shrinks; if it does, a broken connection is the only honest answer.
        if (count === null) throw new Error("the blob ended early");
        remaining -= count;
        observer.onBytes(count);
        if (count > 0) controller.enqueue(buffer.subarray(0, count));
        if (remaining > 0) return;
        end();
        controller.close();
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    cancel: end,
  }, { highWaterMark: 0 });
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
