import { Deadline } from "./deadline.ts";
import { decode, queryOf } from "./encoding.ts";
import { errorOfResponse, KubeError } from "./errors.ts";
import { type Transport, unreachable } from "./transport.ts";
import type { KubeObject, WatchEvent, WatchOptions } from "./types.ts";

/**
 * Milliseconds without a byte after which a watch is taken for dead. An API server sends a bookmark
 * about once a minute (apiserver, storage/cacher), so a living one is rarely cut, and cutting it
 * costs one request.
 */
export const DEFAULT_SILENCE = 150_000;
/** The server ends a watch after a random time between these, in seconds. */
const MIN_DURATION = 240;
const MAX_DURATION = 300;
/** The longest event, in bytes: larger than the largest object that etcd takes (1.5 MiB). */
const MAX_LINE = 8 << 20;
/** The longest text of a refusal, in bytes. */
const MAX_REFUSAL = 1 << 20;

/** One watch on one connection; see {@linkcode KubeClient.watch}. */
export async function* watch<T extends KubeObject>(
  transport: Transport,
  path: string,
  options: WatchOptions,
  silence: number,
): AsyncGenerator<WatchEvent<T>> {
  const { signal } = options;
  const ends = signal === undefined ? transport.era : AbortSignal.any([signal, transport.era]);
  const deadline = new Deadline(silence, ends);
  const what = `WATCH ${path}`;
  const seconds = MIN_DURATION + Math.floor(Math.random() * (MAX_DURATION - MIN_DURATION));
  const query = queryOf({
    watch: "true",
    allowWatchBookmarks: "true",
    timeoutSeconds: String(seconds),
    labelSelector: options.labelSelector,
    fieldSelector: options.fieldSelector,
    resourceVersion: options.resourceVersion,
  });
  try {
    const { status, headers, body } = await transport.open(
      { method: "GET", path: path + query, headers: { accept: "application/json" } },
      deadline,
    );
    const stream = body ?? new ReadableStream<Uint8Array>({ start: (each) => each.close() });
    if (status !== 200) {
      const refusal = await firstBytes(stream, deadline);
      throw errorOfResponse(what, status, headers.get("retry-after"), decode(refusal));
    }
    for await (const line of lines(stream, deadline)) yield eventOf<T>(line, what);
  } catch (error) {
    if (signal?.aborted) return;
    if (error instanceof KubeError && error.reason === "BadResponse") transport.renew();
    if (error instanceof KubeError) throw error;
    throw deadline.expired
      ? new KubeError({ reason: "Timeout", message: `${what}: nothing came for ${silence} ms` })
      : unreachable(what, transport.server, error);
  } finally {
    deadline.cancel();
  }
}

function eventOf<T extends KubeObject>(line: string, what: string): WatchEvent<T> {
  let event: { type?: unknown; object?: unknown } | null;
  try {
    event = JSON.parse(line);
  } catch (cause) {
    throw new KubeError({ reason: "BadResponse", message: `${what}: a line is not JSON`, cause });
  }
  const { type, object } = event ?? {};
  switch (type) {
    case "ADDED":
    case "MODIFIED":
    case "DELETED":
    case "BOOKMARK":
      if (typeof object !== "object" || object === null || !("metadata" in object)) break;
      return { type, object: object as T };
    case "ERROR": {
      const code = (object as { code?: unknown } | undefined)?.code;
      throw errorOfResponse(what, typeof code === "number" ? code : 500, null, object);
    }
  }
  throw new KubeError({ reason: "BadResponse", message: `${what}: not an event: ${type}` });
}

/** The chunks of a stream; the deadline runs only while one is waited for. */
async function* chunks(
  stream: ReadableStream<Uint8Array>,
  deadline: Deadline,
): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      deadline.extend();
      const { done, value } = await deadline.race(reader.read());
      deadline.pause();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function* lines(
  stream: ReadableStream<Uint8Array>,
  deadline: Deadline,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let pieces: string[] = [];
  let held = 0;
  for await (const chunk of chunks(stream, deadline)) {
    const [first = "", ...rest] = decoder.decode(chunk, { stream: true }).split("\n");
    pieces.push(first);
    held += first.length;
    if (held > MAX_LINE) {
      throw new KubeError({ reason: "TooLarge", message: `an event is over ${MAX_LINE} bytes` });
    }
    for (const piece of rest) {
      const line = pieces.join("");
      pieces = [piece];
      held = piece.length;
      if (line !== "") yield line;
    }
  }
  // What is left has no end: the connection broke in the middle of an event, which comes again.
}

async function firstBytes(
  stream: ReadableStream<Uint8Array>,
  deadline: Deadline,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks(stream, deadline)) {
    parts.push(chunk);
    size += chunk.length;
    if (size > MAX_REFUSAL) break;
  }
  return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer());
}
