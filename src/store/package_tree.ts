import { failpoint } from "../std/mod.ts";
import { guarded, StoreError } from "./errors.ts";
import { exists, type StoreFs } from "./fs.ts";
import { DIRECTORY_MODE } from "./layout.ts";

/** The longest path of a file in a package, in characters. */
export const MAX_PACKAGE_PATH = 1024;

/**
 * The files of a package below one directory. No path can leave it: every directory on the way was
 * made here, so none of them is a link, and links point inside.
 */
export class PackageTree {
  readonly root: string;
  readonly #fs: StoreFs;
  /** Absolute paths, each one after its parent. */
  readonly #directories: Set<string>;
  readonly #files: string[] = [];

  constructor(root: string, fs: StoreFs) {
    this.root = root;
    this.#fs = fs;
    this.#directories = new Set([root]);
  }

  /** A package's file keeps its rights, but its owner can write it and nobody else can. */
  static fileMode(mode: number): number {
    return (mode & 0o755) | 0o600;
  }

  /** The absolute path for a new file; its directories are there when this returns. */
  place(path: string): string {
    const segments = segmentsOf(path);
    const name = segments.pop() ?? "";
    const place = `${this.#makeDirectories(segments, path)}/${name}`;
    if (exists(place)) throw unsafe(path, "is there twice");
    return place;
  }

  directory(path: string): void {
    this.#makeDirectories(segmentsOf(path), path);
  }

  symlink(path: string, target: string): void {
    const link = this.place(path);
    if (leaves(path, target)) {
      throw unsafe(path, `points to ${target}, outside of the package`);
    }
    guarded(`link ${path}`, () => this.#fs.symlink(target, link));
  }

  /** Tells that a file from {@linkcode place} is complete. */
  added(path: string): void {
    this.#files.push(path);
  }

  /** Flushes all files, then all directories, the deepest first. */
  sync(): void {
    for (const file of this.#files) {
      this.#fs.fsyncFile(file);
      failpoint("store.package.synced");
    }
    for (const directory of [...this.#directories].reverse()) {
      this.#fs.fsyncDir(directory);
      failpoint("store.package.tree.synced");
    }
  }

  #makeDirectories(segments: readonly string[], path: string): string {
    let current = this.root;
    for (const segment of segments) {
      current = `${current}/${segment}`;
      if (this.#directories.has(current)) continue;
      makeDirectory(this.#fs, current, path);
      this.#directories.add(current);
    }
    return current;
  }
}

function makeDirectory(fs: StoreFs, directory: string, path: string): void {
  guarded(`create the directory of ${path}`, () => {
    try {
      fs.mkdir(directory, DIRECTORY_MODE);
    } catch (error) {
      // Every directory that we made is known: this one is a file or a link of the same package.
      if (error instanceof Deno.errors.AlreadyExists) {
        throw unsafe(path, "goes through a file or link of the same package");
      }
      throw error;
    }
  });
}

function segmentsOf(path: string): string[] {
  const segments = path.replace(/\/$/, "").split("/");
  const plain = segments.every((segment) =>
    segment !== "" && segment !== "." && segment !== ".." && !segment.includes("\0")
  );
  if (!plain || path.length > MAX_PACKAGE_PATH) throw unsafe(path, "is not a plain relative path");
  return segments;
}

/**
 * Whether a link at `path` to `target` could lead out of the package. `..` is accepted only at the
 * start, where it climbs from a real directory; after another link's name it could climb further.
 */
function leaves(path: string, target: string): boolean {
  const segments = target.split("/");
  const up = segments.findIndex((segment) => segment !== "..");
  const climbs = up < 0 ? segments.length : up;
  return target.startsWith("/") || target === "" || segments.slice(climbs).includes("..") ||
    climbs > path.split("/").length - 1;
}

function unsafe(path: string, why: string): StoreError {
  return new StoreError({
    reason: "UnsafePath",
    message: `"${path.slice(0, MAX_PACKAGE_PATH)}" ${why}`,
    kept: "the package was not taken in",
  });
}
