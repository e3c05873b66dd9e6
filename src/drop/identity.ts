import { createHash } from "node:crypto";
import { type BigIntStats, statfsSync } from "node:fs";
import { lstat, stat } from "node:fs/promises";
import {
  checkParts,
  MAX_HEADER_BYTES,
  MAX_TREE_DEPTH,
  PackageError,
  parseSplitHeader,
  partName,
  type SplitHeader,
} from "../package/mod.ts";
import { describeError } from "../std/mod.ts";
import type { FileIdentity, Wanting } from "./types.ts";

/**
 * File systems without inodes, whose numbers Linux makes up anew at each mount (statfs(2)): FAT, exFAT.
 * A stick that is plugged in again must not look like one that somebody dropped anew.
 */
const WITHOUT_INODES: ReadonlySet<number> = new Set([0x4d44, 0x2011bab0]);

/** Whether inode numbers below `directory` tell one file from another for good. */
export function hasInodes(
  directory: string,
  typeOf: (path: string) => number = (path) => statfsSync(path).type,
): boolean {
  try {
    return !WITHOUT_INODES.has(typeOf(directory));
  } catch {
    // It has just gone; whoever looks into it finds out.
    return true;
  }
}

/**
 * A file, or a link to one. Undefined when there is none.
 *
 * @param inodes {@linkcode hasInodes}.
 * @throws what the file system throws.
 */
export async function identifyFile(
  path: string,
  inodes = true,
): Promise<FileIdentity | undefined> {
  const info = await there(stat(path, { bigint: true }));
  if (info === undefined || !info.isFile()) return undefined;
  const inode = inodes ? info.ino : 0n;
  return { path, size: Number(info.size), mtimeNs: info.mtimeNs, inode };
}

/** The entries of a directory, in the order of their names. */
export type EntriesOf = (path: string) => Promise<readonly Deno.DirEntry[]>;

/** An unpacked package. @throws what the file system throws. */
export async function identifyTree(
  path: string,
  entriesOf: EntriesOf,
  inodes = true,
): Promise<FileIdentity> {
  const fold = new IdentityFold(inodes);
  const walk = async (below: string, depth: number): Promise<void> => {
    for (const entry of await entriesOf(path + below)) {
      const name = `${below}/${entry.name}`;
      if (!entry.isDirectory) fold.add(name, await there(lstat(path + name, { bigint: true })));
      else if (depth < MAX_TREE_DEPTH) await walk(name, depth + 1);
    }
  };
  await walk("", 0);
  return fold.identity(path);
}

/** A split package as far as it is there. */
export interface FoundParts {
  readonly identity: FileIdentity;
  readonly wanting?: Wanting;
}

/**
 * The parts of a split package. Its size is the one that it will have, as soon as that is known.
 *
 * @param path Of the file that was split.
 * @param numbers Of the parts that there are; 0 is the header.
 * @returns undefined when they are gone.
 * @throws what the file system throws.
 */
export async function identifyParts(
  path: string,
  numbers: readonly number[],
  inodes = true,
): Promise<FoundParts | undefined> {
  const fold = new IdentityFold(inodes);
  const sizes = new Map<number, number>();
  for (const number of numbers.toSorted((a, b) => a - b)) {
    const info = await there(stat(partName(path, number), { bigint: true }));
    if (info === undefined || !info.isFile()) continue;
    fold.add(String(number), info);
    sizes.set(number, Number(info.size));
  }
  if (sizes.size === 0) return undefined;
  const hasHeader = sizes.delete(0);
  const identity = fold.identity(path);
  const whole = path.slice(path.lastIndexOf("/") + 1);
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  try {
    const header = hasHeader ? await readHeader(path, whole) : undefined;
    const wanting = wantingOf(whole, header, sizes, bytes);
    return {
      identity: { ...identity, size: header?.bytes ?? bytes },
      ...(wanting === undefined ? {} : { wanting }),
    };
  } catch {
    // Whoever opens the package meets the same, and says it.
    return { identity: { ...identity, size: bytes } };
  }
}

function wantingOf(
  whole: string,
  header: SplitHeader | undefined,
  sizes: ReadonlyMap<number, number>,
  bytes: number,
): Wanting | undefined {
  try {
    checkParts(whole, header, sizes);
    return undefined;
  } catch (error) {
    if (!(error instanceof PackageError) || error.disposition !== "wait") throw error;
    return { reason: error.reason, message: describeError(error), bytes };
  }
}

async function readHeader(path: string, whole: string): Promise<SplitHeader> {
  using file = await Deno.open(partName(path, 0), { read: true });
  const buffer = new Uint8Array(MAX_HEADER_BYTES + 1);
  const count = await file.read(buffer) ?? 0;
  return parseSplitHeader(whole, buffer.subarray(0, count));
}

/** Makes one identity of many files: whatever changes of any of them changes it. */
class IdentityFold {
  readonly #hash = createHash("sha256");
  readonly #inodes: boolean;
  #size = 0;
  #mtimeNs = 0n;

  constructor(inodes: boolean) {
    this.#inodes = inodes;
  }

  add(name: string, info: BigIntStats | undefined): void {
    if (info === undefined) return;
    const { size, mtimeNs, ino } = info;
    this.#hash.update(`${name}\0${size} ${mtimeNs} ${this.#inodes ? ino : 0}\n`);
    this.#size += Number(size);
    if (mtimeNs > this.#mtimeNs) this.#mtimeNs = mtimeNs;
  }

  /** Once, of everything that was added; a digest over all stands for the inode. */
  identity(path: string): FileIdentity {
    const digest = this.#hash.digest("hex").slice(0, 16);
    const inode = BigInt(`0x${digest}`);
    return { path, size: this.#size, mtimeNs: this.#mtimeNs, inode };
  }
}

/** What was asked for, or undefined when it is not there. */
export async function there<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Whether an error says that something is not there. */
export function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    (error instanceof Error && "code" in error && error.code === "ENOENT");
}
