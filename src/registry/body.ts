import type { OpenBlob } from "../store/mod.ts";
import type { ByteRange } from "./range.ts";

/** One read for a consumer that brings no buffer of its own, in bytes. */
const DEFAULT_CHUNK = 64 << 10;

/** What a body tells while it is sent. */
export interface BodyObserver {
  /** Called once, when the body is sent, given up or broken. */
  onEnd(): void;
  /** Called for each chunk. */
  onBytes(count: number): void;
}

/**
 * The bytes of an open blob, as a byte stream: the consumer's buffer decides how much is read at
 * once. The file is closed when the last byte was read, when the client goes away, and when a read
 * fails.
 */
export function blobBody(
  { file }: OpenBlob,
  range: ByteRange,
  observer: BodyObserver,
): ReadableStream<Uint8Array> {
  let remaining = range.end - range.start;
  if (range.start > 0) file.seekSync(range.start, Deno.SeekMode.Start);
  const end = once(() => {
    file.close();
    observer.onEnd();
  });
  return new ReadableStream({
    type: "bytes",
    autoAllocateChunkSize: DEFAULT_CHUNK,
    async pull(controller) {
      try {
        const count = await readInto(file, controller.byobRequest?.view, remaining);
        remaining -= count;
        observer.onBytes(count);
        if (remaining === 0) end();
        if (count > 0) controller.byobRequest?.respond(count);
        if (remaining > 0) return;
        controller.close();
        // Closing leaves an unanswered request of an empty body open.
        if (count === 0) controller.byobRequest?.respond(0);
      } catch (error) {
        end();
        controller.error(error);
      }
    },
    cancel: end,
  });
}

async function readInto(
  file: Deno.FsFile,
  view: ArrayBufferView | null | undefined,
  remaining: number,
): Promise<number> {
  if (remaining === 0 || view === null || view === undefined) return 0;
  const length = Math.min(view.byteLength, remaining);
  const count = await file.read(new Uint8Array(view.buffer, view.byteOffset, length));
  // A blob never shrinks; if it does, a broken connection is the only honest answer.
  if (count === null) throw new Error("the blob ended early");
  return count;
}

function once(action: () => void): () => void {
  let done = false;
  return () => {
    if (done) return;
    done = true;
    action();
  };
}
