import type { Digest } from "../std/mod.ts";
import type { BlobStore } from "./blobs.ts";
import { StoreError } from "./errors.ts";

/** The largest manifest that is read whole, in bytes; as the distribution specification asks for. */
export const MAX_MANIFEST = 4 * 1024 * 1024;

/** Reads blobs for somebody who sends them elsewhere. */
export interface BlobSource {
  /** A manifest or index, whole. */
  manifestBytes(digest: Digest): Promise<Uint8Array>;
  /** A blob; each `stream` reads it from the start and closes the file at its end. */
  openBlob(
    digest: Digest,
  ): Promise<{ readonly size: number; stream(): ReadableStream<Uint8Array> }>;
}

/** The blobs of a store as a {@linkcode BlobSource}; what is not there is a {@linkcode StoreError}. */
export function blobSource(blobs: BlobStore): BlobSource {
  return {
    manifestBytes: (digest) => {
      const bytes = blobs.read(digest, MAX_MANIFEST);
      return bytes === undefined ? Promise.reject(missing(digest)) : Promise.resolve(bytes);
    },
    openBlob: (digest) => {
      const size = blobs.stat(digest)?.size;
      if (size === undefined) return Promise.reject(missing(digest));
      return Promise.resolve({
        size,
        stream: () => {
          const opened = blobs.open(digest);
          if (opened === undefined) throw missing(digest);
          return opened.file.readable;
        },
      });
    },
  };
}

function missing(digest: Digest): StoreError {
  return new StoreError({
    reason: "BlobMissing",
    message: `blob ${digest} is not in the store`,
    remedy: "drop the package again",
  });
}
