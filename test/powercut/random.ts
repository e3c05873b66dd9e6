/** Numbers that are the same in each run with the same seed (mulberry32). */
export class Random {
  #state: number;

  /** @param parts whole numbers; any of them changes all that comes. */
  constructor(...parts: readonly number[]) {
    this.#state = 0;
    // Neighbouring seeds would begin alike otherwise.
    for (const part of parts) this.#state = Math.floor((this.next() + part) * 0x9e3779b1) | 0;
  }

  /** At least 0, less than 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number of the range, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  /** As {@linkcode Random.between}, and small ones are as frequent as large ones. */
  magnitude(least: number, most: number): number {
    return Math.round(least * (most / least) ** this.next());
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** One of the values, by weight. */
  weighted<T>(weights: readonly (readonly [T, number])[]): T {
    let left = this.next() * weights.reduce((sum, [, weight]) => sum + weight, 0);
    const found = weights.find(([, weight]) => (left -= weight) < 0) ?? weights.at(-1);
    if (found === undefined) throw new Error("there is nothing to choose from");
    return found[0];
  }

  /** `count` of the values, each at most once, in their order. */
  some<T>(values: readonly T[], count: number): T[] {
    let needed = count;
    return values.filter((_, at) => {
      const taken = this.next() * (values.length - at) < needed;
      if (taken) needed--;
      return taken;
    });
  }
}
