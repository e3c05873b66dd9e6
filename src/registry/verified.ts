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
  const source = new VerifiedSource(blob, digest, observer);
  return new ReadableStream<Uint8Array>(source, { highWaterMark: 0 });
}

class VerifiedSource implements UnderlyingDefaultSource<Uint8Array> {
  readonly #size: number;
  readonly #digest: Digest;
  readonly #observer: BodyObserver;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #digester = new Digester();
  #held: Uint8Array | undefined;
  #taken = 0;
  #ended = false;

  constructor({ body, size }: FetchedBlob, digest: Digest, observer: BodyObserver) {
    this.#size = size;
    this.#digest = digest;
    this.#observer = observer;
    this.#reader = body.getReader();
  }

  async pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    try {
      const { chunk, isLast } = await this.#next();
      if (chunk !== undefined) {
        this.#observer.onBytes(chunk.length);
        controller.enqueue(chunk);
      }
      if (!isLast) return;
      this.#end();
      controller.close();
    } catch (error) {
      this.#end();
      this.#reader.cancel(error).catch(() => {});
      controller.error(error);
    }
  }

  async cancel(reason: unknown): Promise<void> {
    this.#end();
    await this.#reader.cancel(reason).catch(() => {});
  }

  /** The chunk before the one that came; at the end that one, if all of it is right. */
  async #next(): Promise<{ readonly chunk: Uint8Array | undefined; readonly isLast: boolean }> {
    for (;;) {
      const { value, done } = await this.#reader.read();
      const chunk = this.#held;
      if (done) {
        this.#check();
        return { chunk, isLast: true };
      }
      this.#digester.update(value);
      this.#taken += value.length;
      if (this.#taken > this.#size) throw wrong(this.#digest, "is longer than announced");
      this.#held = value;
      if (chunk !== undefined) return { chunk, isLast: false };
    }
  }

  #check(): void {
    if (this.#taken !== this.#size) throw wrong(this.#digest, "is shorter than announced");
    if (this.#digester.finish() !== this.#digest) throw wrong(this.#digest, "has other bytes");
  }

  #end(): void {
    if (!this.#ended) this.#observer.onEnd();
    this.#ended = true;
  }
}

function wrong(digest: Digest, why: string): RegistryError {
  return new RegistryError({
    reason: "UpstreamInvalid",
    message: `blob ${digest} of the other registry ${why}`,
    disposition: "retry",
  });
}
