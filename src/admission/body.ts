/** How much of others' data is held, and for how long. */
export interface AdmissionLimits {
  /** The largest body. */
  readonly bodyBytes: number;
  /** Milliseconds in which a body has to come whole. */
  readonly bodyTimeout: number;
  /** Questions that are answered at once; further ones are told to come again. */
  readonly inFlight: number;
  /** Bytes of all bodies together that are held at once. */
  readonly bufferedBytes: number;
}

/**
 * The limits of the webhook. An object has up to 3 MiB in the API server, which waits for 3 s and
 * holds 400 writing requests in flight unless it is told otherwise (kube-apiserver,
 * `--max-mutating-requests-inflight` and `--max-requests-inflight`).
 */
export const ADMISSION_LIMITS: AdmissionLimits = {
  bodyBytes: 3 << 20,
  bodyTimeout: 3_000,
  inFlight: 1_000,
  bufferedBytes: 16 << 20,
};

/** A request that is no question to the webhook, or one too many. */
export class BadRequest extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

/**
 * A body that says to be no longer, in bytes, is read as a whole; it counts as held from the beginning.
 * Of a usual review a stream would take twice as long as everything else about it.
 */
const WHOLE_BYTES = 64 << 10;

/** A body that is being read. */
interface Reading {
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
  /** What is held of it. */
  bytes: number;
  /** Ends it with an error. */
  giveUp: (error: BadRequest) => void;
}

/** Reads bodies within {@linkcode AdmissionLimits}, those in flight together included. */
export class BodyReader {
  readonly #limits: AdmissionLimits;
  /** Oldest first: all have the same time. */
  readonly #readings = new Set<Reading>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #inFlight = 0;
  #bufferedBytes = 0;

  constructor(limits: AdmissionLimits) {
    this.#limits = limits;
  }

  /**
   * Reads the body of `request` and gives its text to `answer`. It counts as in flight until that is
   * done.
   *
   * @throws {BadRequest} 413, 408, 429, or 400 when the body ends early or is no text.
   */
  async read<T>(request: Request, answer: (body: string) => Promise<T>): Promise<T> {
    const { bodyBytes, bodyTimeout, inFlight } = this.#limits;
    const length = Number(request.headers.get("content-length") ?? NaN);
    if (length > bodyBytes) throw tooLarge(bodyBytes);
    if (this.#inFlight >= inFlight) throw busy();
    const reading = { deadline: performance.now() + bodyTimeout, bytes: 0, giveUp() {} };
    this.#inFlight++;
    try {
      return await answer(await this.#inTime(request, length, reading));
    } finally {
      this.#inFlight--;
      this.#bufferedBytes -= reading.bytes;
    }
  }

  async #inTime(request: Request, length: number, reading: Reading): Promise<string> {
    this.#readings.add(reading);
    this.#arm(reading.deadline);
    try {
      return length > 0 && length <= WHOLE_BYTES
        ? await this.#whole(request, length, reading)
        : await this.#text(request, reading);
    } catch (error) {
      if (error instanceof BadRequest) throw error;
      throw new BadRequest(400, "the body ended early or is not UTF-8");
    } finally {
      this.#readings.delete(reading);
      if (this.#readings.size === 0) this.#disarm();
    }
  }

  async #whole(request: Request, length: number, reading: Reading): Promise<string> {
    this.#hold(reading, length);
    const { promise, reject } = Promise.withResolvers<never>();
    reading.giveUp = reject;
    const bytes = await Promise.race([request.arrayBuffer(), promise]);
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  }

  async #text({ body }: Request, reading: Reading): Promise<string> {
    if (body === null) return "";
    const reader = body.getReader();
    let given: BadRequest | undefined;
    reading.giveUp = (error) => {
      given = error;
      cancel(reader);
    };
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let text = "";
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (given !== undefined) throw given;
        if (done) return text + decoder.decode();
        this.#hold(reading, value.length);
        text += decoder.decode(value, { stream: true });
      }
    } catch (error) {
      cancel(reader);
      throw error;
    }
  }

  /** @throws {BadRequest} when it is too much. */
  #hold(reading: Reading, bytes: number): void {
    const { bodyBytes, bufferedBytes } = this.#limits;
    reading.bytes += bytes;
    this.#bufferedBytes += bytes;
    if (reading.bytes > bodyBytes) throw tooLarge(bodyBytes);
    if (this.#bufferedBytes > bufferedBytes) throw busy();
  }

  /** One timer for all: one for each takes as long as everything else about a review. */
  #arm(deadline: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const reading of this.#readings) {
        if (reading.deadline > performance.now()) return this.#arm(reading.deadline);
        reading.giveUp(tooLate(this.#limits.bodyTimeout));
      }
    }, deadline - performance.now());
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** Ends a pending read. A body that nobody reads further may fail as it likes. */
function cancel(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  reader.cancel().catch(() => {});
}

function tooLate(milliseconds: number): BadRequest {
  return new BadRequest(408, `the review did not come within ${milliseconds} ms`);
}

function tooLarge(bytes: number): BadRequest {
  return new BadRequest(413, `the review is over ${bytes} bytes`);
}

/** The API server tries again after this header, within the time that it gives the webhook. */
function busy(): BadRequest {
  return new BadRequest(429, "too many reviews at once", { "retry-after": "1" });
}
