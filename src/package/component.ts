import type { Budget } from "./budget.ts";
import { packageError } from "./errors.ts";
import type { Limits } from "./limits.ts";
import { checkLinkTarget, NameRegister, safePath } from "./names.ts";
import { NOTHING, type TarBody, type TarEntry, TarParser } from "./tar.ts";
import type { EntryWriter } from "./types.ts";

/** Where a component is unpacked into: a package's sink, or one that wants no content. */
export interface ComponentSink {
  /** `undefined`: nobody wants what is in the file. */
  file(path: string, size: number, mode: number): EntryWriter | undefined;
  directory(path: string, mode: number): void;
  symlink(path: string, target: string): void;
}

/**
 * Unpacks one component's tar into the sink while it passes. Everything in it lies under a directory
 * of the component's name (Zarf 0.84, src/pkg/packager/assemble).
 */
export class ComponentUnpacker implements EntryWriter {
  readonly #name: string;
  readonly #label: string;
  readonly #sink: ComponentSink;
  readonly #budget: Budget;
  readonly #names: NameRegister;
  readonly #tar: TarParser;
  #open: EntryWriter | undefined;

  constructor(name: string, sink: ComponentSink, limits: Limits, budget: Budget) {
    this.#name = name;
    this.#label = `components/${name}.tar`;
    this.#sink = sink;
    this.#budget = budget;
    this.#names = new NameRegister(this.#label, budget);
    this.#tar = new TarParser(this.#label, limits, (entry) => this.#begin(entry));
  }

  /** Takes the next bytes of the tar. @throws {PackageError} or what the sink throws. */
  write(chunk: Uint8Array): void {
    this.#tar.push(chunk);
  }

  /** How many of the tar's next bytes nobody wants. */
  get unwanted(): number {
    return this.#tar.unwanted;
  }

  /** Goes on as if `bytes` bytes had been written; at most {@linkcode ComponentUnpacker.unwanted}. */
  skip(bytes: number): void {
    this.#tar.skip(bytes);
  }

  /** The tar has come to its end: it must be whole. @throws {PackageError} Truncated. */
  finish(): void {
    this.#tar.finish();
  }

  /** Nothing is left to close: every file in it has been. */
  close(): void {}

  /** Gives up the file that is being written, if one is. */
  abort(): void {
    this.#open?.abort();
    this.#open = undefined;
  }

  #begin(entry: TarEntry): TarBody {
    this.#budget.addEntry(entry.name);
    const path = safePath(this.#label, entry.name);
    if (path === "") return NOTHING;
    if (path !== this.#name && !path.startsWith(`${this.#name}/`)) {
      throw packageError(
        "UnsafePath",
        `${this.#label}: ${JSON.stringify(path)} is outside of ${this.#name}/`,
      );
    }
    return this.#place(entry, path);
  }

  #place(entry: TarEntry, path: string): TarBody {
    const destination = `components/${path}`;
    // A link there would lead into another component, a file would have none below it.
    if (path === this.#name && entry.type !== "directory") {
      throw packageError(
        "UnsupportedEntry",
        `${this.#label}: ${JSON.stringify(path)} is a ${entry.type}, not a directory`,
      );
    }
    switch (entry.type) {
      case "directory":
        this.#names.add(path, "directory");
        this.#sink.directory(destination, entry.mode);
        return NOTHING;
      case "symlink":
        this.#names.add(path, "link");
        checkLinkTarget(this.#label, path.slice(this.#name.length + 1), entry.linkTarget);
        this.#sink.symlink(destination, entry.linkTarget);
        return NOTHING;
      case "file":
        this.#names.add(path, "file");
        return this.#file(this.#sink.file(destination, entry.size, entry.mode));
      default:
        throw packageError(
          "UnsupportedEntry",
          `${this.#label}: ${JSON.stringify(path)} is a ${entry.type}`,
        );
    }
  }

  #file(writer: EntryWriter | undefined): TarBody {
    if (writer === undefined) return NOTHING;
    this.#open = writer;
    return {
      data: (chunk) => writer.write(chunk),
      end: () => {
        this.#open = undefined;
        writer.close();
      },
    };
  }
}
