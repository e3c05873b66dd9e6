import type { FileSink } from "./fs.ts";

/** Bytes after which the disk is given work; smaller files are left to their fsync. */
export const FLUSH_STEP = 16 << 20;

/**
 * A new file that begins to go to the disk while it is still written, so that its fsync in the end
 * has little left to wait for. At most one flush is under way; it runs beside this thread.
 *
 * Linux tells a failure to write back once to each open file (errseq_t), and to files that are opened
 * later only if nobody was told. The flush has an open file of its own and may be the one that is
 * told, so the file that was open all the time is asked before it is closed.
 */
export class EagerFile implements FileSink {
  readonly #path: string;
  readonly #file: Deno.FsFile;
  #unflushed = 0;
  #isFlushing = false;
  #wasFlushed = false;

  /** @throws what the file system throws, also when there is something at `path`. */
  constructor(path: string, mode: number) {
    this.#path = path;
    this.#file = Deno.openSync(path, { write: true, createNew: true, mode });
  }

  write(bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length;) done += this.#file.writeSync(bytes.subarray(done));
    this.#unflushed += bytes.length;
    if (this.#unflushed < FLUSH_STEP || this.#isFlushing) return;
    this.#unflushed = 0;
    void this.#flush();
  }

  /** @throws what the file system throws, also of an earlier flush; the file is closed all the same. */
  close(): void {
    try {
      if (this.#wasFlushed) this.#file.syncDataSync();
    } finally {
      this.#file.close();
    }
  }

  async #flush(): Promise<void> {
    this.#isFlushing = this.#wasFlushed = true;
    try {
      using file = Deno.openSync(this.#path, { read: true });
      await file.syncData();
    } catch {
      // A hint only: close() says what was wrong.
    } finally {
      this.#isFlushing = false;
    }
  }
}
