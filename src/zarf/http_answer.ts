/** What a server answered. */
export interface HttpAnswer {
  readonly status: number;
  /** By lower-case name; a header that comes several times is joined with commas. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** The beginning of its body. */
  readonly text: string;
}

/** Where an answer's bytes come from: up to `buffer.length` of them, or null at the end. */
export type ReadBytes = (buffer: Uint8Array) => Promise<number | null>;

/** The longest status line and headers, in bytes. */
const MAX_HEAD = 64 * 1024;
/** How much of a body is read. */
const MAX_TEXT = 4096;
const BUFFER_SIZE = 16 * 1024;

/**
 * Reads one HTTP/1.1 answer (RFC 9112) from a connection that is not used again. What comes after the
 * first 4 KiB of its body is left unread.
 *
 * @throws {Error} when it ends too early or is no HTTP.
 */
export async function readAnswer(read: ReadBytes, method: string): Promise<HttpAnswer> {
  const input = new Input(read);
  for (;;) {
    const status = statusOf(await input.line());
    const headers = await readHeaders(input);
    // An interim answer (100 Continue) is followed by the one that counts.
    if (status < 200) continue;
    const bodiless = method === "HEAD" || status === 204 || status === 304;
    return { status, headers, text: bodiless ? "" : await readText(input, headers) };
  }
}

function statusOf(line: string): number {
  const [, status] = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line) ?? [];
  if (status === undefined) throw new Error("the answer is not HTTP");
  return Number(status);
}

async function readHeaders(input: Input): Promise<Record<string, string | undefined>> {
  const headers: Record<string, string | undefined> = {};
  for (let line = await input.line(); line !== ""; line = await input.line()) {
    const colon = line.indexOf(":");
    if (colon < 1) throw new Error("the answer has a header without a name");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers[name];
    headers[name] = before === undefined ? value : `${before}, ${value}`;
  }
  return headers;
}

async function readText(
  input: Input,
  headers: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const parts: Uint8Array[] = [];
  let left = MAX_TEXT;
  const keep = async (size: number, mayEnd = false) => {
    const bytes = await input.take(Math.min(size, left), mayEnd);
    left -= bytes.length;
    parts.push(bytes);
  };
  if (headers["transfer-encoding"]?.toLowerCase().endsWith("chunked") === true) {
    while (left > 0) {
      const size = Number.parseInt(await input.line(), 16);
      if (!(size >= 0)) throw new Error("the answer's chunks cannot be read");
      if (size === 0) break;
      await keep(size);
      if (left > 0) await input.line();
    }
  } else if (headers["content-length"] === undefined) await keep(left, true);
  else await keep(Number(headers["content-length"]) || 0);
  return new TextDecoder().decode(await new Blob(parts as BlobPart[]).arrayBuffer());
}

/** Bytes of a connection, by lines and by numbers. */
class Input {
  readonly #read: ReadBytes;
  readonly #buffer = new Uint8Array(BUFFER_SIZE);
  #start = 0;
  #end = 0;
  #head = 0;

  constructor(read: ReadBytes) {
    this.#read = read;
  }

  /** The next line without its end. */
  async line(): Promise<string> {
    let line = "";
    for (;;) {
      if (this.#start === this.#end && !await this.#fill()) throw endedEarly();
      const byte = this.#buffer[this.#start++] ?? 0;
      if (++this.#head > MAX_HEAD) throw new Error("the answer's headers are too long");
      if (byte === 10) return line.endsWith("\r") ? line.slice(0, -1) : line;
      line += String.fromCharCode(byte);
    }
  }

  /** The next `size` bytes; fewer only where the connection `mayEnd`. */
  async take(size: number, mayEnd: boolean): Promise<Uint8Array> {
    const bytes = new Uint8Array(size);
    let at = 0;
    while (at < size) {
      if (this.#start === this.#end && !await this.#fill()) {
        if (mayEnd) return bytes.subarray(0, at);
        throw endedEarly();
      }
      const part = this.#buffer.subarray(this.#start, Math.min(this.#end, this.#start + size - at));
      bytes.set(part, at);
      at += part.length;
      this.#start += part.length;
    }
    return bytes;
  }

  async #fill(): Promise<boolean> {
    const count = await this.#read(this.#buffer);
    this.#start = 0;
    this.#end = count ?? 0;
    return this.#end > 0;
  }
}

function endedEarly(): Error {
  return new Error("the connection was closed in the middle of the answer");
}
