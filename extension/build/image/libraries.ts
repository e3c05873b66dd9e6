import { type Architecture, type Elf, readElf } from "./elf.ts";
import { ExtensionError } from "./errors.ts";
import { isFile } from "../../../src/std/mod.ts";

/** Debian's name of each processor in directories (multiarch). */
const TRIPLETS: Readonly<Record<Architecture, string>> = {
  amd64: "x86_64-linux-gnu",
  arm64: "aarch64-linux-gnu",
};

/** A library or loader of the build machine and where it goes. */
export interface Library {
  /** Where it is found, below the root of the machine's file system. */
  readonly source: string;
  /** Where it goes, from the root of the container's. */
  readonly path: string;
}

/**
 * The libraries that `programs` need, and those that these need, with the loader. They are found by
 * name, in the directories where Debian's loader looks without a cache; that is where they go, so
 * that the container needs none.
 *
 * @param programs ELF files; static ones need nothing.
 * @param root of the file system whose libraries are taken.
 * @throws {ExtensionError} `LibraryMissing`, or `WrongArchitecture` when a program is for another.
 */
export function librariesOf(
  programs: readonly string[],
  architecture: Architecture,
  root = "",
): Library[] {
  const found = new Map<string, Library>();
  const loaders = new Set<string>();
  const waiting = programs.map((path) => ({ path, elf: elfFor(path, architecture) }));
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { path, elf } = next;
    if (elf.interpreter !== undefined) loaders.add(elf.interpreter);
    for (const name of elf.needed) {
      if (found.has(name)) continue;
      const library = findLibrary(name, architecture, root, path);
      found.set(name, library);
      waiting.push({ path: library.source, elf: elfFor(library.source, architecture) });
    }
  }
  // Whoever asks for the loader by name gets the one that runs already.
  const names = new Set([...loaders].map((path) => path.slice(path.lastIndexOf("/") + 1)));
  return [
    ...[...loaders].map((path) => ({ source: `${root}${path}`, path: path.slice(1) })),
    ...[...found].filter(([name]) => !names.has(name)).map(([, library]) => library),
  ].sort((a, b) => a.path < b.path ? -1 : 1);
}

/**
 * Reads a program that must be for `architecture`.
 *
 * @throws {ExtensionError} `WrongArchitecture`
 */
export function elfFor(path: string, architecture: Architecture): Elf {
  const elf = readElf(path);
  if (elf.architecture === architecture) return elf;
  throw new ExtensionError({
    reason: "WrongArchitecture",
    message: `${path} is for ${elf.architecture ?? "another processor"}, not for ${architecture}`,
    remedy: "give --root a Debian file system for that processor, with the same packages in it",
  });
}

function findLibrary(
  name: string,
  architecture: Architecture,
  root: string,
  by: string,
): Library {
  const triplet = TRIPLETS[architecture];
  for (const directory of [`lib/${triplet}`, `usr/lib/${triplet}`, "lib", "usr/lib"]) {
    const source = `${root}/${directory}/${name}`;
    if (isFile(source)) return { source, path: `${directory}/${name}` };
  }
  throw new ExtensionError({
    reason: "LibraryMissing",
    message: `${by} needs ${name}, which is not in /lib/${triplet}`,
    remedy: "build on Debian, or give --root a Debian file system",
  });
}
