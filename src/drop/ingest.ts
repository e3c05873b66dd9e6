import { type Digest, type Disposition, HoldfastError } from "../std/mod.ts";
import type { PackageContents, PackageScout } from "../package/mod.ts";
import type { IngestMessage, IngestOrder, IngestRequest } from "./types.ts";

/** Why a file is not in the store: the reader's and the store's reasons, and these. */
export class IngestError extends HoldfastError {
  /** Blobs of the package that are in the store all the same. */
  readonly published: readonly Digest[];

  constructor(
    reason: string,
    message: string,
    disposition: Disposition,
    published: readonly Digest[] = [],
  ) {
    super({ reason, message, disposition });
    this.published = published;
  }
}

/**
 * Reads one package file into the store, in a worker of its own that ends with it. When this
 * returns, every blob and file of the package is durable; only its record is still missing.
 *
 * @param admit with it the package is looked over first, and read only if this does not throw.
 * @throws {IngestError} with the reason of the reader or the store, and which blobs stay for another
 * try; or what `admit` throws.
 */
export async function ingest(
  request: IngestRequest,
  onProgress: (bytes: number, scouting: boolean) => void,
  signal: AbortSignal,
  admit?: (scout: PackageScout) => void,
): Promise<PackageContents> {
  const worker = new Worker(workerUrl(), { type: "module", name: "ingest" });
  const { promise, resolve, reject } = Promise.withResolvers<PackageContents>();
  const stop = () => reject(new IngestError("Stopped", "the agent is stopping", "retry"));
  signal.addEventListener("abort", stop, { once: true });
  const order = (order: IngestOrder) => worker.postMessage(order);
  worker.onmessage = ({ data }: MessageEvent<IngestMessage>) => {
    switch (data.kind) {
      case "progress":
        return onProgress(data.bytes, data.scouting);
      case "scouted":
        return attempt(() => {
          admit?.(data.scout);
          order({ kind: "go" });
        }, reject);
      case "done":
        return resolve(data.contents);
      case "failed": {
        const { reason, message, disposition, published } = data.failure;
        return reject(new IngestError(reason, message, disposition, published));
      }
    }
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(corrupted(event.message));
  };
  try {
    if (signal.aborted) stop();
    else order({ kind: "read", request, scout: admit !== undefined });
    return await promise;
  } finally {
    signal.removeEventListener("abort", stop);
    worker.terminate();
  }
}

function attempt(action: () => void, onError: (error: unknown) => void): void {
  try {
    action();
  } catch (error) {
    onError(error);
  }
}

/** What ends the worker without its own words is node:zlib refusing a damaged stream. */
function corrupted(why: string): IngestError {
  return new IngestError("Corrupt", `the compressed data is damaged: ${why}`, "terminal");
}

/** Beside this file from source, beside the bundle when compiled. */
function workerUrl(): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
  return new URL(`./ingest_worker.${extension}`, import.meta.url);
}
