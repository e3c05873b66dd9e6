import { Occasion, whenAborted } from "./signals.ts";

/**
 * This node's name in its cluster. On Talos it may come late, and change: nothing that serves may wait
 * for it, and nothing is written to the cluster without it.
 */
export class NodeName {
  readonly #occasion = new Occasion();
  #known: string | undefined;
  #shown: string;

  /**
   * @param known the name, where it is sure from the start.
   * @param shown what people are told before it is sure.
   */
  constructor(known: string | undefined, shown = "") {
    this.#known = known;
    this.#shown = shown;
  }

  /** What may be written to the cluster; undefined until it is sure. */
  get known(): string | undefined {
    return this.#known;
  }

  /** What people are told: the name that was known last, in an earlier run too, or nothing. */
  get shown(): string {
    return this.#known ?? this.#shown;
  }

  /** Aborts when there is another one. */
  get changed(): AbortSignal {
    return this.#occasion.next;
  }

  /** The name is sure. */
  learn(name: string): void {
    if (name === this.#known) return;
    this.#known = name;
    this.#shown = name;
    this.#occasion.happen();
  }

  /**
   * Runs `work` with the name once it is known, and anew when there is another one, until the signal
   * aborts or the work ends by itself. Work must end when its signal aborts.
   */
  async follow(
    work: (name: string, signal: AbortSignal) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    while (!signal.aborted) {
      const { changed, known } = this;
      if (known === undefined) {
        await whenAborted(signal, changed);
        continue;
      }
      const stop = new AbortController();
      void whenAborted(signal, changed).then(() => stop.abort());
      await work(known, stop.signal);
      if (!stop.signal.aborted) return;
    }
  }
}
