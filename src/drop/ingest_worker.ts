/**
 * The thread in which one package is read. It exists for two reasons: reading, hashing and writing
 * are synchronous and must not hold up the registry, and a corrupted zstd stream throws where only
 * the border between threads can catch it (facts of Deno 2.7: node:zlib).
 *
 * @module
 */
/// <reference lib="webworker" />
import { openPackage, type PackageScout, readPackage, scoutPackage } from "../package/mod.ts";
import { describeError, HoldfastError } from "../std/mod.ts";
import { Staging } from "../store/mod.ts";
import type { IngestFailure, IngestMessage, IngestOrder, IngestRequest } from "./types.ts";

/** Progress is said each time this many more bytes were read. */
const PROGRESS_STEP = 4 * 1024 * 1024;

const admitted = Promise.withResolvers<void>();

self.onmessage = async ({ data }: MessageEvent<IngestOrder>) => {
  if (data.kind === "go") return admitted.resolve();
  say(await ingest(data.request, data.scout));
};

async function ingest(request: IngestRequest, scout: boolean): Promise<IngestMessage> {
  let staging: Staging | undefined;
  try {
    if (scout) {
      say({ kind: "scouted", scout: await lookOver(request) });
      await admitted.promise;
    }
    using opened = openPackage(request.path);
    staging = Staging.create(request.dataDir, request.stagingId);
    const contents = await readPackage(opened.source, {
      format: opened.format,
      architecture: request.architecture,
      sink: staging,
      trust: request.trust,
      onProgress: progressReporter(false),
    });
    opened.checkWhole();
    staging.commit(contents.digest);
    return { kind: "done", contents };
  } catch (error) {
    staging?.discard();
    const published = staging?.published ?? [];
    return { kind: "failed", failure: { ...failureOf(error), published } };
  }
}

async function lookOver({ path, architecture, trust }: IngestRequest): Promise<PackageScout> {
  using opened = openPackage(path);
  const { source, format } = opened;
  const onProgress = progressReporter(true);
  return await scoutPackage(source, { format, architecture, trust, onProgress });
}

function progressReporter(scouting: boolean): (bytes: number) => void {
  let said = 0;
  return (bytes) => {
    if (bytes - said < PROGRESS_STEP) return;
    said = bytes;
    say({ kind: "progress", bytes, scouting });
  };
}

function failureOf(error: unknown): Omit<IngestFailure, "published"> {
  if (error instanceof HoldfastError) {
    return {
      reason: error.reason,
      message: describeError(error),
      disposition: error.disposition,
    };
  }
  const vanished = error instanceof Deno.errors.NotFound;
  return {
    reason: vanished ? "FileRemoved" : "ReadFailed",
    message: vanished
      ? "the file was removed while it was read"
      : `the file could not be read: ${describeError(error)}`,
    disposition: "retry",
  };
}

function say(message: IngestMessage): void {
  self.postMessage(message);
}
