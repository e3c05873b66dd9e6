import { systemFs } from "../std/mod.ts";

/** How many files and directories are flushed; what a directory has beyond is left to the kernel. */
export const MAX_FLUSHED = 20_000;

/**
 * Makes what lies below directories durable. It remembers what was so, and flushes only what is new
 * or has changed since.
 */
export class Flusher {
  readonly #directories: readonly string[];
  #durable = new Map<string, string>();

  constructor(directories: readonly string[]) {
    this.#directories = directories;
  }

  /** Takes what is there for durable. */
  trust(): void {
    this.#walk(() => {});
  }

  /** What cannot be opened, or is gone by then, is passed over: it is for whoever writes it. */
  flush(): void {
    this.#walk((path, state) => {
      if (this.#durable.get(path) !== state) systemFs.fsyncFile(path);
    });
  }

  #walk(visit: (path: string, state: string) => void): void {
    const waiting = [...this.#directories];
    const durable = new Map<string, string>();
    for (let count = 0; count < MAX_FLUSHED; count++) {
      const path = waiting.pop();
      if (path === undefined) break;
      try {
        const info = Deno.lstatSync(path);
        if (info.isDirectory) {
          for (const { name } of Deno.readDirSync(path)) waiting.push(`${path}/${name}`);
        }
        // A pipe would wait for a writer, and a link leads elsewhere.
        if (!info.isFile && !info.isDirectory) continue;
        const state = [info.ino, info.size, Number(info.mtime), Number(info.ctime)].join();
        visit(path, state);
        durable.set(path, state);
      } catch {
        // Gone, or not for us.
      }
    }
    this.#durable = durable;
  }
}
