import { stat } from "node:fs/promises";
import { packageFormat } from "../package/mod.ts";
import type { FileIdentity } from "./types.ts";

/** Most files of one drop directory that are looked at; more is said once and left alone. */
export const MAX_FILES = 1_000;

/** Hidden files are what rsync, scp clients and browsers copy into before they rename. */
function isPackage(name: string): boolean {
  return !name.startsWith(".") && packageFormat(name) !== undefined;
}

/** What a look at one drop directory found. */
export interface Scan {
  readonly files: readonly FileIdentity[];
  /** Inode of the directory: when it changes, a watch on the old one sees nothing any more. */
  readonly inode: bigint;
  /** Whether there were more than {@linkcode MAX_FILES}. */
  readonly truncated: boolean;
}

/**
 * The package files of a directory, by name. A directory that is not there (a stick that is not
 * plugged in) has none: `undefined`.
 *
 * @throws what the file system throws for anything else.
 */
export async function scanDirectory(directory: string): Promise<Scan | undefined> {
  const files: FileIdentity[] = [];
  let truncated = false;
  try {
    const { ino } = await statBig(directory);
    for await (const entry of Deno.readDir(directory)) {
      if (entry.isDirectory || !isPackage(entry.name)) continue;
      if (files.length === MAX_FILES) {
        truncated = true;
        break;
      }
      const identity = await identify(`${directory}/${entry.name}`);
      if (identity !== undefined) files.push(identity);
    }
    files.sort((a, b) => a.path < b.path ? -1 : 1);
    return { files, inode: ino, truncated };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function identify(path: string): Promise<FileIdentity | undefined> {
  try {
    const info = await statBig(path);
    if (!info.isFile()) return undefined;
    return { path, size: Number(info.size), mtimeNs: info.mtimeNs, inode: info.ino };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

/** Through node's door, because Deno's own stat has milliseconds only. */
async function statBig(path: string) {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    if (isGone(error)) throw new Deno.errors.NotFound(path, { cause: error });
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound ||
    (error instanceof Error && "code" in error && error.code === "ENOENT");
}
