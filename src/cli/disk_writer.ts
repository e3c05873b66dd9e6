import type { EntryWriter } from "../package/mod.ts";
import { dirname } from "../std/mod.ts";

/**
 * Writes one file of a package to disk, in a directory that is made for it. Nothing is made durable:
 * who asked is there to ask again.
 *
 * @throws what the file system throws.
 */
export function diskWriter(path: string): EntryWriter {
  Deno.mkdirSync(dirname(path), { recursive: true });
  const file = Deno.openSync(path, { write: true, createNew: true });
  return {
    write(chunk) {
      for (let rest = chunk; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
    },
    close: () => file.close(),
    abort: () => file.close(),
  };
}
