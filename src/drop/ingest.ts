import { type Disposition, HoldfastError } from "../std/mod.ts";
import type { PackageContents } from "../package/mod.ts";
import type { IngestMessage, IngestRequest } from "./types.ts";

/** Why a file is not in the store: the reader's and the store's reasons, and these. */
export class IngestError extends HoldfastError {
  constructor(reason: string, message: string, disposition: Disposition) {
    super({ reason, message, disposition });
  }
}

/**
 * Reads one package file into the store, in a worker of its own that ends with it. When this
 * returns, every blob and file of the package is durable; only its record is still missing.
 *
 * @throws {IngestError} with the reason of the reader or the store; the store is then unchanged.
 */
export async function ingest(
  request: IngestRequest,
  onProgress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<PackageContents> {
  const worker = new Worker(workerUrl(), { type: "module", name: "ingest" });
  const { promise, resolve, reject } = Promise.withResolvers<PackageContents>();
  const stop = () => reject(new IngestError("Stopped", "the agent is stopping", "retry"));
  signal.addEventListener("abort", stop, { once: true });
  worker.onmessage = (event: MessageEvent<IngestMessage>) => {
    const message = event.data;
    if (message.kind === "progress") return onProgress(message.bytes);
    if (message.kind === "done") return resolve(message.contents);
    const { reason, message: text, disposition } = message.failure;
    reject(new IngestError(reason, text, disposition));
  };
  worker.onerror = (event) => {
    event.preventDefault();
    reject(corrupted(event.message));
  };
  try {
    if (signal.aborted) stop();
    else worker.postMessage(request);
    return await promise;
  } finally {
    signal.removeEventListener("abort", stop);
    worker.terminate();
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
