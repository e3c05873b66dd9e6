/**
 * Where the repository and what is costly to make lie, and what tells one state of a folder from
 * another.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** Where the repository lies. */
export const REPOSITORY_ROOT: string = decodeURIComponent(
  new URL("../..", import.meta.url).pathname,
).replace(/\/$/, "");

/** The directory for everything that is costly to make: `$HOLDFAST_CACHE`, else the user's cache. */
export function cacheDir(get: (name: string) => string | undefined = Deno.env.get): string {
  const own = get("HOLDFAST_CACHE");
  if (own) return own;
  return `${get("XDG_CACHE_HOME") || `${get("HOME") ?? "/root"}/.cache`}/holdfast`;
}

/**
 * A digest (64 hexadecimal digits) of the names and contents of the files under `root` that `accept`
 * takes; the order on disk does not matter.
 *
 * @param accept is given the path below `root`. @default every file
 */
export function hashTree(root: string, accept: (path: string) => boolean = () => true): string {
  const hash = createHash("sha256");
  for (const path of listFiles(root, "").filter(accept).sort()) {
    const content = Deno.readFileSync(`${root}/${path}`);
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

function listFiles(root: string, below: string): string[] {
  return [...Deno.readDirSync(`${root}/${below}`)].flatMap((entry) => {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    return entry.isDirectory ? listFiles(root, path) : entry.isFile ? [path] : [];
  });
}

/** Removes all folders of a directory but the newest ones, so many of them. */
export function keepNewest(directory: string, count: number): void {
  const folders = [...Deno.readDirSync(directory)]
    .filter((entry) => entry.isDirectory)
    .map((entry) => `${directory}/${entry.name}`)
    .map((path) => ({ path, time: Deno.statSync(path).mtime?.getTime() ?? 0 }))
    .sort((a, b) => b.time - a.time);
  for (const { path } of folders.slice(count)) Deno.removeSync(path, { recursive: true });
}
