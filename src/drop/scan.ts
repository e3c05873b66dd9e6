import { stat } from "node:fs/promises";
import { splitPart, UNPACKED_FILES } from "../package/mod.ts";
import { describeError } from "../std/mod.ts";
import { hasInodes, identifyFile, identifyParts, identifyTree, isGone, there } from "./identity.ts";
import { isPackageName, isPassedOver } from "./names.ts";
import type { FileIdentity, Wanting } from "./types.ts";

/** Most packages of one drop directory that are looked at; more is said once and left alone. */
export const MAX_FILES = 1_000;
/** How many folders deep packages are looked for below a drop directory. */
export const MAX_DEPTH = 4;
/** Names in a drop directory and everything below it that one look goes through. */
export const MAX_ENTRIES = 20_000;

/** What a look at one drop directory found. */
export interface Scan {
  /** Files, split packages under the name of the whole file, and unpacked directories, by path. */
  readonly files: readonly FileIdentity[];
  /** Of which of them more has to come, by path. */
  readonly wanting: ReadonlyMap<string, Wanting>;
  /** What could not be looked at, by path, and why. */
  readonly unreadable: ReadonlyMap<string, string>;
  /** Inode of the directory: when it changes, a watch on the old one sees nothing any more. */
  readonly inode: bigint;
  /** Whether there was more than {@linkcode MAX_FILES} or {@linkcode MAX_ENTRIES} allow. */
  readonly truncated: boolean;
}

/**
 * The packages in a directory and in the folders below it, by path. A directory that is not there (a
 * stick that is not plugged in) has none: `undefined`.
 *
 * @throws what the file system throws for anything else about the directory itself.
 */
export async function scanDirectory(directory: string): Promise<Scan | undefined> {
  // Through node's door, because Deno's own stat has milliseconds only.
  const info = await there(stat(directory, { bigint: true }));
  if (info === undefined) return undefined;
  const search = new Search(hasInodes(directory));
  if (await there(search.run(directory).then(() => true)) === undefined) return undefined;
  const { wanting, unreadable, truncated } = search;
  const files = [...search.files.values()].sort((a, b) => a.path < b.path ? -1 : 1);
  return { files, wanting, unreadable, inode: info.ino, truncated };
}

interface Folder {
  readonly path: string;
  /** Undefined for the drop directory itself. */
  readonly name?: string;
  readonly depth: number;
}

class Search {
  readonly files = new Map<string, FileIdentity>();
  readonly wanting = new Map<string, Wanting>();
  readonly unreadable = new Map<string, string>();
  truncated = false;
  readonly #inodes: boolean;
  #entriesLeft = MAX_ENTRIES;
  /** Whether some names were not seen. */
  #cut = false;

  constructor(inodes: boolean) {
    this.#inodes = inodes;
  }

  /** Nearer folders first: what lies at the top is found whatever lies below. */
  async run(directory: string): Promise<void> {
    const queue: Folder[] = [{ path: directory, depth: 0 }];
    for (const folder of queue) {
      const look = async () => void queue.push(...await this.#look(folder));
      if (folder.depth === 0) await look();
      else await this.#noting(folder.path, look);
    }
  }

  /** Finds the packages in a folder, and gives the folders in it. */
  async #look(folder: Folder): Promise<Folder[]> {
    const entries = await this.#entries(folder.path);
    if (folder.depth > 0 && isUnpacked(entries)) {
      await this.#addTree(folder.path);
      return [];
    }
    const deeper: Folder[] = [];
    const parts = new Map<string, number[]>();
    for (const { name, isDirectory } of entries) {
      if (isPassedOver(name)) continue;
      const path = `${folder.path}/${name}`;
      if (isDirectory) deeper.push({ path, name, depth: folder.depth + 1 });
      else await this.#noting(path, () => this.#addFile(path, name, folder, parts));
    }
    for (const [path, numbers] of parts) {
      await this.#noting(path, () => this.#addParts(path, numbers));
    }
    return folder.depth < MAX_DEPTH ? deeper : [];
  }

  async #addFile(
    path: string,
    name: string,
    folder: Folder,
    parts: Map<string, number[]>,
  ): Promise<void> {
    const part = splitPart(name);
    if (!isPackageName(part?.whole ?? name, folder.name)) return;
    if (part === undefined) return this.#add(await identifyFile(path, this.#inodes));
    const whole = `${folder.path}/${part.whole}`;
    const others = parts.get(whole);
    if (others === undefined) parts.set(whole, [part.number]);
    else others.push(part.number);
  }

  async #addParts(path: string, numbers: readonly number[]): Promise<void> {
    // The file itself is there as well, as after a deployment with Zarf, which joins the parts.
    if (this.files.has(path)) return;
    const found = await identifyParts(path, numbers, this.#inodes);
    this.#add(found?.identity);
    if (found?.wanting !== undefined) this.wanting.set(path, found.wanting);
  }

  async #addTree(path: string): Promise<void> {
    const tree = await identifyTree(path, (below) => this.#entries(below), this.#inodes);
    // Of half a tree nothing can be said.
    if (this.#cut) return;
    this.wanting.delete(path);
    this.#add(tree);
  }

  #add(file: FileIdentity | undefined): void {
    if (file === undefined) return;
    if (this.files.size === MAX_FILES) this.truncated = true;
    else this.files.set(file.path, file);
  }

  /** In the order of their names, as many as one look may still go through. */
  async #entries(path: string): Promise<Deno.DirEntry[]> {
    const entries: Deno.DirEntry[] = [];
    for await (const entry of Deno.readDir(path)) entries.push(entry);
    entries.sort((a, b) => a.name < b.name ? -1 : 1);
    if (entries.length > this.#entriesLeft) this.truncated = this.#cut = true;
    const seen = entries.slice(0, this.#entriesLeft);
    this.#entriesLeft -= seen.length;
    return seen;
  }

  /** What cannot be looked at must not keep anything else from it. */
  async #noting(path: string, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (!isGone(error)) this.unreadable.set(path, describeError(error));
    }
  }
}

function isUnpacked(entries: readonly Deno.DirEntry[]): boolean {
  return UNPACKED_FILES.every((name) =>
    entries.some((entry) => entry.name === name && !entry.isDirectory)
  );
}
