import { packageError } from "./errors.ts";
import type { Limits } from "./limits.ts";

/** Counts what all archives of one package together make. */
export class Budget {
  readonly #limits: Limits;
  #entries = 0;
  #nameCharacters = 0;
  #bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Bytes of the files counted with {@linkcode addFile}. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Counts one entry, or a directory that a name implies. @throws {PackageError} LimitExceeded. */
  addEntry(name: string): void {
    const { entries, nameCharacters } = this.#limits;
    this.#nameCharacters += name.length;
    if (++this.#entries > entries) {
      throw packageError("LimitExceeded", `the package: has more than ${entries} entries`);
    }
    if (this.#nameCharacters > nameCharacters) {
      throw packageError(
        "LimitExceeded",
        `the package: its names have more than ${nameCharacters} characters`,
      );
    }
  }

  /** Counts one regular file of the outer archive. @throws {PackageError} LimitExceeded. */
  addFile(path: string, size: number): void {
    this.#bytes += size;
    if (this.#bytes <= this.#limits.contentBytes) return;
    throw packageError(
      "LimitExceeded",
      `${path}: with it the package has more than ${this.#limits.contentBytes} bytes`,
    );
  }
}
