/** Random numbers that a seed repeats on every machine (sfc32, by Chris Doty-Humphrey). */
export class Random {
  readonly #state: Uint32Array;

  /** Equal seeds give equal numbers. */
  constructor(seed: string) {
    this.#state = Uint32Array.from([0, 1, 2, 3], (salt) => hash(`${salt} ${seed}`));
    for (let round = 0; round < 12; round++) this.#next();
  }

  #next(): number {
    const state = this.#state;
    const [a = 0, b = 0, c = 0, counter = 0] = state;
    const result = (a + b + counter) >>> 0;
    state[3] = counter + 1;
    state[0] = b ^ (b >>> 9);
    state[1] = c + (c << 3);
    state[2] = ((c << 21) | (c >>> 11)) + result;
    return result;
  }

  /** A whole number from 0 to one below `limit`. */
  below(limit: number): number {
    return Math.floor(this.#next() / 2 ** 32 * limit);
  }

  /** True in so many of hundred cases. */
  percent(share: number): boolean {
    return this.below(100) < share;
  }

  /** One of them; there must be one. */
  pick<T>(choices: readonly T[]): T {
    const chosen = choices[this.below(choices.length)];
    if (chosen === undefined && !choices.includes(chosen as T)) throw new Error("nothing to pick");
    return chosen as T;
  }

  /** A length: mostly short, seldom near `limit`. */
  length(limit: number): number {
    return Math.min(limit, Math.floor(2 ** (this.below(1000) / 1000 * Math.log2(limit + 1))) - 1);
  }

  /** Bytes of no pattern. */
  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#next() & 0xff);
  }
}

/** FNV-1a with a final mix; good enough for a start. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) {
    value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  }
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  return (value ^ (value >>> 13)) >>> 0;
}
