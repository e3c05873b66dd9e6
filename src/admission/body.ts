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

/** A body that is being read. */
interface Reading {
  readonly body: Request;
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
  /** Bytes that count as held: what was promised, else what has come. */
  bytes: number;
  /** Settled when the time is up. */
  readonly late: PromiseWithResolvers<never>;
  /** Of a body that is read piece by piece. */
  reader?: ReadableStreamDefaultReader<Uint8Array>;
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
    const promised = lengthOf(request);
    if (promised !== undefined && promised > bodyBytes) throw tooLarge(bodyBytes);
    if (this.#inFlight >= inFlight) throw busy();
    // A look at `request.body` itself would take the way through a stream.
    if (promised === 0) return await answer("");
    const reading: Reading = {
      body: request,
      deadline: performance.now() + bodyTimeout,
      bytes: 0,
      late: Promise.withResolvers(),
    };
    this.#inFlight++;
    try {
      return await answer(await this.#inTime(reading, promised));
    } finally {
      this.#inFlight--;
      this.#bufferedBytes -= reading.bytes;
    }
  }

  async #inTime(reading: Reading, promised: number | undefined): Promise<string> {
    this.#readings.add(reading);
    this.#arm(reading.deadline);
    try {
      const text = promised === undefined ? this.#pieces(reading) : this.#whole(reading, promised);
      return await Promise.race([text, reading.late.promise]);
    } catch (error) {
      reading.reader?.cancel().catch(() => {});
      if (error instanceof BadRequest) throw error;
      throw new BadRequest(400, "the body ended early or is not UTF-8");
    } finally {
      this.#readings.delete(reading);
      if (this.#readings.size === 0) this.#disarm();
    }
  }

  /** A body of a length that HTTP holds it to: read at once, which takes half as long. */
  async #whole(reading: Reading, promised: number): Promise<string> {
    this.#hold(reading, promised);
    return new TextDecoder("utf-8", { fatal: true }).decode(await reading.body.bytes());
  }

  async #pieces(reading: Reading): Promise<string> {
    const reader = reading.body.body?.getReader();
    if (reader === undefined) return "";
    reading.reader = reader;
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      this.#hold(reading, value.length);
      text += decoder.decode(value, { stream: true });
    }
  }

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
        const { bodyTimeout } = this.#limits;
        const message = `the review did not come within ${bodyTimeout} ms`;
        reading.late.reject(new BadRequest(408, message));
      }
    }, deadline - performance.now());
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** What a request promises to send; `undefined` when it promises nothing. */
function lengthOf({ headers }: Request): number | undefined {
  const length = headers.get("content-length");
  return length === null ? undefined : Number(length);
}

function tooLarge(bytes: number): BadRequest {
  return new BadRequest(413, `the review is over ${bytes} bytes`);
}

/** The API server tries again after this header, within the time that it gives the webhook. */
function busy(): BadRequest {
  return new BadRequest(429, "too many reviews at once", { "retry-after": "1" });
}
