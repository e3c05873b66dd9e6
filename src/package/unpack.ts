import { Budget } from "./budget.ts";
import { packageError } from "./errors.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";
import { NameRegister, safePath } from "./names.ts";
import { NOTHING, type TarBody, type TarEntry, TarParser } from "./tar.ts";
import type { EntryWriter } from "./types.ts";

/**
 * Unpacks a tar that is a file of the package (`sboms.tar`, `documentation.tar`) while it passes. It
 * may hold files and directories only; names are checked as everywhere in a package.
 */
export class TarUnpacker implements EntryWriter {
  readonly #label: string;
  readonly #open: (path: string, size: number) => EntryWriter | undefined;
  readonly #budget: Budget;
  readonly #names: NameRegister;
  readonly #tar: TarParser;
  #current: EntryWriter | undefined;

  /**
   * @param label How messages name the tar.
   * @param open Called for each file with its path in the tar; undefined leaves the file out.
   */
  constructor(
    label: string,
    open: (path: string, size: number) => EntryWriter | undefined,
    limits: Limits = DEFAULT_LIMITS,
  ) {
    this.#label = label;
    this.#open = open;
    this.#budget = new Budget(limits);
    this.#names = new NameRegister(label, this.#budget);
    this.#tar = new TarParser(label, limits, (entry) => this.#begin(entry));
  }

  /** Takes the next bytes of the tar. @throws {PackageError} or what a file's writer throws. */
  write(chunk: Uint8Array): void {
    this.#tar.push(chunk);
  }

  /** The tar has come to its end: it must be whole. @throws {PackageError} Truncated. */
  close(): void {
    try {
      this.#tar.finish();
    } catch (error) {
      this.abort();
      throw error;
    }
  }

  /** Gives up the file that is being written, if one is. */
  abort(): void {
    this.#current?.abort();
    this.#current = undefined;
  }

  #begin(entry: TarEntry): TarBody {
    this.#budget.addEntry(entry.name);
    const path = safePath(this.#label, entry.name);
    if (entry.type === "directory") {
      if (path !== "") this.#names.add(path, "directory");
      return NOTHING;
    }
    if (entry.type !== "file" || path === "") {
      throw packageError("UnsupportedEntry", `${this.#label}: ${path} is a ${entry.type}`);
    }
    this.#names.add(path, "file");
    this.#budget.addFile(path, entry.size);
    const writer = this.#open(path, entry.size);
    this.#current = writer;
    return {
      data: (chunk) => writer?.write(chunk),
      end: () => {
        this.#current = undefined;
        writer?.close();
      },
    };
  }
}
