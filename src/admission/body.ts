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
  readonly reader: ReadableStreamDefaultReader<Uint8Array>;
  /** On the clock of `performance.now()`. */
  readonly deadline: number;
  bytes: number;
  isLate: boolean;
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
    if (Number(request.headers.get("content-length") ?? 0) > bodyBytes) throw tooLarge(bodyBytes);
    if (this.#inFlight >= inFlight) throw busy();
    if (request.body === null) return await answer("");
    const deadline = performance.now() + bodyTimeout;
    const reading = { reader: request.body.getReader(), deadline, bytes: 0, isLate: false };
    this.#inFlight++;
    try {
      return await answer(await this.#inTime(reading));
    } finally {
      this.#inFlight--;
      this.#bufferedBytes -= reading.bytes;
    }
  }

  async #inTime(reading: Reading): Promise<string> {
    this.#readings.add(reading);
    this.#arm(reading.deadline);
    try {
      return await this.#text(reading);
    } catch (error) {
      giveUp(reading);
      if (error instanceof BadRequest) throw error;
      throw new BadRequest(400, "the body ended early or is not UTF-8");
    } finally {
      this.#readings.delete(reading);
      if (this.#readings.size === 0) this.#disarm();
    }
  }

  async #text(reading: Reading): Promise<string> {
    const { bodyBytes, bodyTimeout, bufferedBytes } = this.#limits;
    const decoder = new TextDecoder("utf-8", { fatal: true });
    let text = "";
    for (;;) {
      const { done, value } = await reading.reader.read();
      if (reading.isLate) {
        throw new BadRequest(408, `the review did not come within ${bodyTimeout} ms`);
      }
      if (done) return text + decoder.decode();
      reading.bytes += value.length;
      this.#bufferedBytes += value.length;
      if (reading.bytes > bodyBytes) throw tooLarge(bodyBytes);
      if (this.#bufferedBytes > bufferedBytes) throw busy();
      text += decoder.decode(value, { stream: true });
    }
  }

  /** One timer for all: one for each takes as long as everything else about a review. */
  #arm(deadline: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      for (const reading of this.#readings) {
        if (reading.deadline > performance.now()) return this.#arm(reading.deadline);
        reading.isLate = true;
        giveUp(reading);
      }
    }, deadline - performance.now());
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

/** Ends a pending read. A body that nobody reads further may fail as it likes. */
function giveUp({ reader }: Reading): void {
  reader.cancel().catch(() => {});
}

function tooLarge(bytes: number): BadRequest {
  return new BadRequest(413, `the review is over ${bytes} bytes`);
}

/** The API server tries again after this header, within the time that it gives the webhook. */
function busy(): BadRequest {
  return new BadRequest(429, "too many reviews at once", { "retry-after": "1" });
}
