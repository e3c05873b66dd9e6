/** The text of a file, or undefined where there is none that can be read. */
export function readIfThere(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/** Whether a path leads to a file; what cannot be looked at is none. */
export function isFile(path: string): boolean {
  return looked(Deno.statSync, path)?.isFile === true;
}

/** Whether a path leads to a directory; what cannot be looked at is none. */
export function isDirectory(path: string): boolean {
  return looked(Deno.statSync, path)?.isDirectory === true;
}

/** Whether there is a directory itself at a path, not a link to one: that may hold itself. */
export function isOwnDirectory(path: string): boolean {
  return looked(Deno.lstatSync, path)?.isDirectory === true;
}

/** Whether there is anything at a path, be it a link that leads nowhere. */
export function isThere(path: string): boolean {
  return looked(Deno.lstatSync, path) !== undefined;
}

function looked(look: (path: string) => Deno.FileInfo, path: string): Deno.FileInfo | undefined {
  try {
    return look(path);
  } catch {
    return undefined;
  }
}
