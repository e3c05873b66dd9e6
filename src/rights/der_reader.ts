/** Reads DER elements one after the other, and refuses what has another encoding (X.690, 8.1 and 10.1). */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Whether all was read. */
  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next element. @throws {RangeError} */
  any(): { readonly tag: number; readonly content: Uint8Array } {
    const tag = this.#byte();
    // A tag of several bytes is in nothing that is read here.
    if ((tag & 0x1f) === 0x1f) throw new RangeError("a tag of several bytes");
    const length = this.#length();
    if (length > this.#bytes.length - this.#at) throw new RangeError("an element is cut off");
    const content = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return { tag, content };
  }

  /** The content of the next element, which has this tag. @throws {RangeError} */
  next(tag: number): Uint8Array {
    const found = this.any();
    if (found.tag !== tag) throw new RangeError(`tag ${found.tag} in place of ${tag}`);
    return found.content;
  }

  /** What is in the one element that there is, which has this tag. @throws {RangeError} */
  only(tag: number): DerReader {
    const content = this.next(tag);
    this.end();
    return new DerReader(content);
  }

  /** @throws {RangeError} unless all was read. */
  end(): void {
    if (!this.done) throw new RangeError("something follows the last element");
  }

  #length(): number {
    const first = this.#byte();
    if (first < 0x80) return first;
    const count = first & 0x7f;
    if (count === 0 || count > 3) throw new RangeError("a length without end, or over 16 MiB");
    let length = 0;
    for (let read = 0; read < count; read++) length = length * 256 + this.#byte();
    const isShortest = length >= 0x80 && length >= 256 ** (count - 1);
    if (!isShortest) throw new RangeError("a length that is not the shortest");
    return length;
  }

  #byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new RangeError("an element is cut off");
    this.#at++;
    return byte;
  }
}
