import type { Disk } from "./disk.ts";
import type { Operation } from "./operation.ts";

/** Told of what is wrong, in a sentence. */
export type Complain = (message: string) => void;

/** What is known of SQLite's files: which records a power cut leaves. */
export class Database {
  /** Packages whose record is durable. */
  readonly recorded = new Set<string>();
  readonly #path: string;
  readonly #digests: readonly string[];
  /** In the log, and when that was written. */
  readonly #written = new Map<string, number>();
  #lastWrite = -1;
  #flushed = -1;
  #thread = 0;

  constructor(path: string, digests: readonly string[]) {
    this.#path = path;
    this.#digests = digests;
  }

  unflushed(): boolean {
    return this.#lastWrite >= this.#flushed && this.#lastWrite >= 0;
  }

  /** Follows an operation; gives the packages whose record it begins to write. */
  follow(operation: Operation, disk: Disk, complain: Complain): string[] {
    const { kind, path, thread, begin } = operation;
    const log = `${this.#path}-wal`;
    if (kind === "write" && path === this.#path) this.#checkPage(disk, complain);
    if (kind === "remove" && /-(?:wal|journal)$/.test(path) && path.startsWith(this.#path)) {
      if (disk.unflushed(this.#path).length > 0) {
        complain(`${path} is removed before the database is flushed`);
      }
      return [];
    }
    if (path === log && kind === "flush") this.#flush(begin, disk, log, complain);
    if (path !== log || kind !== "write") {
      const other = !path.startsWith(this.#path) && kind !== "flush";
      if (other && thread === this.#thread && this.unflushed()) {
        complain(`${path} follows a transaction that is not flushed (${kind})`);
      }
      return [];
    }
    return this.#append(operation);
  }

  #append({ data, end, thread }: Operation & { readonly kind: "write" }): string[] {
    this.#lastWrite = end;
    this.#thread = thread;
    const begun = this.#digests.filter((digest) =>
      data.includes(digest) && !this.#written.has(digest)
    );
    for (const digest of begun) this.#written.set(digest, end);
    return begun;
  }

  #flush(begin: number, disk: Disk, log: string, complain: Complain): void {
    this.#flushed = begin;
    for (const [digest, end] of this.#written) {
      if (end >= begin || this.recorded.has(digest)) continue;
      for (const path of [this.#path, log]) {
        if (!disk.isNamed(path)) complain(`a record is flushed before the name ${path}`);
      }
      this.recorded.add(digest);
    }
  }

  /** A page goes into the database only when a power cut in the middle of it can be undone. */
  #checkPage(disk: Disk, complain: Complain): void {
    for (const path of [`${this.#path}-wal`, `${this.#path}-journal`]) {
      if (disk.at(path) === undefined) continue;
      if (disk.unflushed(path).length > 0 || !disk.isNamed(path)) {
        complain(`a page is written into the database before ${path} is flushed`);
      }
    }
  }
}
