import { type Clock, describeError, type Logger } from "../std/mod.ts";

/**
 * Wakes a waiter when something happens in a directory. Only a hint: events may be lost (a watch
 * dies silently with its directory), so nobody may depend on one.
 */
export class DirectoryHints {
  readonly #logger: Logger;
  readonly #watchers = new Map<string, { readonly inode: bigint; readonly close: () => void }>();
  #wake: (() => void) | undefined;
  #pending = false;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Watches `directory`; anew when it is another one (by inode) than was watched before. */
  watch(directory: string, inode: bigint): void {
    const current = this.#watchers.get(directory);
    if (current?.inode === inode) return;
    current?.close();
    try {
      const watcher = Deno.watchFs(directory, { recursive: false });
      this.#watchers.set(directory, { inode, close: () => watcher.close() });
      void this.#pump(directory, watcher);
    } catch (error) {
      this.#watchers.set(directory, { inode, close: () => {} });
      this.#logger.debug(`no file events here, only looking: ${describeError(error)}`, {
        directory,
      });
    }
  }

  /** Returns after `ms` milliseconds, at once if something happened since the last call. */
  async wait(ms: number, clock: Clock, signal: AbortSignal): Promise<void> {
    if (!this.#pending) {
      const woken = new AbortController();
      this.#wake = () => woken.abort();
      await clock.sleep(ms, AbortSignal.any([woken.signal, signal]));
      this.#wake = undefined;
    }
    this.#pending = false;
  }

  /** Stops watching. */
  close(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #pump(directory: string, watcher: Deno.FsWatcher): Promise<void> {
    try {
      for await (const event of watcher) {
        // Every chunk of a slow copy is a "modify"; what matters is a name that is new or a close.
        if (event.kind === "modify" || event.paths.every((path) => path.endsWith(".json"))) {
          continue;
        }
        this.#pending = true;
        this.#wake?.();
      }
    } catch (error) {
      this.#logger.debug(`file events ended: ${describeError(error)}`, { directory });
    }
  }
}
