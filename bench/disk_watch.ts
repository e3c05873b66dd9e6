import { diskUsage } from "../test/demo/memory.ts";

/** Pause between two looks, in milliseconds: a disk takes a tenth of a GB in it, not more. */
const INTERVAL = 50;

/** Looks at a directory again and again, and keeps the most that it took on the disk. */
export class DiskWatch implements AsyncDisposable {
  readonly #directory: string;
  readonly #watching: Promise<void>;
  #stopped = false;
  #mostBytes = 0;
  #looks = 0;

  /** @param directory need not be there yet. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#watching = this.#watch();
  }

  /** The most bytes at any look so far; a file with several names counts once. */
  get mostBytes(): number {
    return this.#mostBytes;
  }

  /** How often it has looked. */
  get looks(): number {
    return this.#looks;
  }

  /** Looks a last time. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopped = true;
    await this.#watching;
    await this.#look();
  }

  async #watch(): Promise<void> {
    while (!this.#stopped) {
      await this.#look();
      await new Promise((resolve) => setTimeout(resolve, INTERVAL));
    }
  }

  async #look(): Promise<void> {
    this.#mostBytes = Math.max(this.#mostBytes, await diskUsage(this.#directory));
    this.#looks++;
  }
}
