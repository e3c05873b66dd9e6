import { RegistryError } from "./errors.ts";

/** How long another registry may take until its answer begins, in milliseconds. */
export const FIRST_BYTE_TIMEOUT = 10_000;
/** How long a body may pause, in milliseconds. */
export const STALL_TIMEOUT = 20_000;

/** The waits of a transfer in milliseconds. */
export interface TransferLimits {
  /** How long another registry may take until its answer begins. */
  readonly firstByte: number;
  /** How long a body may pause. */
  readonly stall: number;
}

/** How a request is made, up to the headers of its answer; `init` has the signal that ends it. */
export type Send = (url: string, init: RequestInit) => Promise<Response>;

const LIMITS: TransferLimits = { firstByte: FIRST_BYTE_TIMEOUT, stall: STALL_TIMEOUT };

/**
 * `fetch` up to the headers, within a time.
 *
 * @param send @default `fetch` itself
 * @throws {RegistryError} `UpstreamTimeout` or `UpstreamFailed`.
 */
export async function guardedRequest(
  name: string,
  url: string,
  init: RequestInit & { client?: Deno.HttpClient },
  signal: AbortSignal,
  limits: TransferLimits = LIMITS,
  send: Send = fetch,
): Promise<Response> {
  const control = new AbortController();
  const stop = () => control.abort();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  try {
    return await within(
      send(url, { ...init, signal: control.signal }),
      limits.firstByte,
      () => timeout(name, limits.firstByte),
    );
  } catch (cause) {
    stop();
    throw cause instanceof RegistryError ? cause : failed(name, cause);
  } finally {
    // The body has its own guard from here on; the signal of a served request outlives this call.
    signal.removeEventListener("abort", stop);
  }
}

/**
 * The same body, which fails when it pauses too long or `signal` aborts. Aborting a fetch alone may
 * never end a read (facts: Deno 2.7 on HTTP/1.1), so each read is raced with both.
 */
export function stallGuarded(
  name: string,
  body: ReadableStream<Uint8Array>,
  signal: AbortSignal,
  limits: TransferLimits = LIMITS,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  // Each read has a promise of its own to be broken off by. Raced with one that lives as long as the
  // body, every chunk would be held until the end: a race's loser keeps the result.
  let breakOff: ((reason: unknown) => void) | undefined;
  const onAbort = () => breakOff?.(failed(name, signal.reason));
  const finish = () => signal.removeEventListener("abort", onAbort);
  signal.addEventListener("abort", onAbort, { once: true });
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { promise: brokenOff, reject } = Promise.withResolvers<never>();
        breakOff = reject;
        if (signal.aborted) onAbort();
        const read = Promise.race([reader.read(), brokenOff]);
        const { value, done } = await within(read, limits.stall, () => timeout(name, limits.stall));
        if (!done) return controller.enqueue(value);
        finish();
        controller.close();
      } catch (cause) {
        finish();
        reader.cancel().catch(() => {});
        controller.error(cause instanceof RegistryError ? cause : failed(name, cause));
      }
    },
    async cancel(reason) {
      finish();
      await reader.cancel(reason).catch(() => {});
    },
  }, { highWaterMark: 0 });
}

/**
 * A whole body of at most `limit` bytes.
 *
 * @throws {RegistryError} `UpstreamInvalid` when it is longer, or as {@linkcode stallGuarded}.
 */
export async function readAll(
  name: string,
  response: Response,
  limit: number,
  signal: AbortSignal,
  limits: TransferLimits = LIMITS,
): Promise<Uint8Array> {
  if (response.body === null) return new Uint8Array();
  const chunks: Uint8Array[] = [];
  let total = 0;
  for await (const chunk of stallGuarded(name, response.body, signal, limits)) {
    total += chunk.length;
    if (total > limit) {
      throw new RegistryError({
        reason: "UpstreamInvalid",
        message: `the registry ${name} sent a manifest of more than ${limit} bytes`,
        disposition: "retry",
      });
    }
    chunks.push(chunk);
  }
  return concatenate(chunks, total);
}

function concatenate(chunks: readonly Uint8Array[], total: number): Uint8Array {
  const bytes = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

async function within<T>(promise: Promise<T>, ms: number, error: () => Error): Promise<T> {
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(error()), ms);
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

function timeout(name: string, ms: number): RegistryError {
  return new RegistryError({
    reason: "UpstreamTimeout",
    message: `the registry ${name} sent nothing for ${ms} ms`,
    disposition: "retry",
  });
}

function failed(name: string, cause: unknown): RegistryError {
  return new RegistryError({
    reason: "UpstreamFailed",
    message: `the registry ${name} cannot be reached`,
    disposition: "retry",
    cause,
  });
}
