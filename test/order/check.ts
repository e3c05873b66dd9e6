import { Database } from "./database.ts";
import { Disk } from "./disk.ts";
import type { Operation } from "./operation.ts";

/** A place where a power cut could have left something else than was promised. */
export interface Complaint {
  /** Of the trace, from 1. */
  readonly line: number;
  readonly message: string;
}

/** What the agent was to do while it was traced. */
export interface Expectation {
  /** Holds the data and drop directories; was there before. */
  readonly root: string;
  /** The data directory. */
  readonly data: string;
  /** By a digest that no record has which is written before it; hex digits. */
  readonly records: ReadonlyMap<string, ExpectedRecord>;
}

/** What has to be durable before a record is written. */
export interface ExpectedRecord {
  /** Digests; hex digits. */
  readonly blobs: readonly string[];
  /** Whether it is a package's, whose files are below its digest. */
  readonly isPackage: boolean;
}

const VERDICT = /\.status\.json(?:\.\w+\.tmp)?$/;
/** Phases that promise nothing. */
const EARLY_PHASE = /"phase": "(?:Receiving|Rejected)"/;

/**
 * Goes through everything that an agent did to the disk and complains wherever the order of design.md
 * §4 was not kept: nothing has its name before it is flushed, no record is written before all that it
 * names is durable, nothing is said before the record is.
 */
export function checkOrder(
  operations: readonly Operation[],
  expectation: Expectation,
): Complaint[] {
  const checker = new Checker(expectation);
  for (const event of inOrder(operations)) checker.follow(event);
  checker.end();
  return checker.complaints;
}

/** A change counts from where it began, a flush from where it ended. */
function inOrder(operations: readonly Operation[]): Operation[] {
  const time = (one: Operation) => one.kind === "flush" ? one.end : one.begin;
  return [...operations].sort((a, b) => time(a) - time(b));
}

class Checker {
  readonly complaints: Complaint[] = [];
  readonly #expectation: Expectation;
  readonly #disk: Disk;
  readonly #database: Database;
  /** Directories in which names come by rename alone. */
  readonly #published: readonly string[];
  /** The file that each thread has replaced just now. */
  readonly #replaced = new Map<number, string>();
  #line = 0;

  constructor(expectation: Expectation) {
    this.#expectation = expectation;
    this.#disk = new Disk(expectation.root);
    this.#database = new Database(`${expectation.data}/holdfast.db`, [
      ...expectation.records.keys(),
    ]);
    this.#published = [`${expectation.data}/blobs/sha256/`, `${expectation.data}/packages/`];
  }

  follow(operation: Operation): void {
    if (!this.#disk.holds(operation.path) && operation.path !== this.#expectation.root) return;
    this.#line = operation.begin;
    this.#checkPublished(operation);
    this.#checkDatabase(operation);
    this.#checkVerdict(operation);
    this.#checkReplaced(operation);
    this.#checkRename(operation);
    this.#apply(operation);
  }

  end(): void {
    this.#line = Infinity;
    for (const path of this.#disk.given()) {
      if (this.#isScratch(path) || this.#disk.isNamed(path)) continue;
      this.#complain(`the name ${path} is not flushed at the end`);
    }
    for (const digest of this.#expectation.records.keys()) {
      if (!this.#database.recorded.has(digest)) this.#complain(`${digest} has no durable record`);
      this.#checkRecord(digest, "is there at the end");
    }
    if (this.#database.unflushed()) this.#complain("a transaction is not flushed at the end");
  }

  #complain(message: string): void {
    this.complaints.push({ line: this.#line, message });
  }

  /** What need not survive: unfinished files, the lock, what SQLite makes anew. */
  #isScratch(path: string): boolean {
    const { data } = this.#expectation;
    return path.startsWith(`${data}/tmp/`) || path === `${data}/holdfast.lock` ||
      path === `${data}/holdfast.db-shm`;
  }

  #checkPublished({ kind, path }: Operation): void {
    const published = this.#published.some((directory) => path.startsWith(directory));
    if (!published || kind === "flush" || kind === "rename" || kind === "remove") return;
    // The directory of blobs that begin with the same digits.
    if (kind === "directory" && /\/blobs\/sha256\/..$/.test(path)) return;
    this.#complain(`${path} is changed in place (${kind})`);
  }

  #checkRename(operation: Operation): void {
    if (operation.kind !== "rename" || this.#isScratch(operation.path)) return;
    for (const path of this.#disk.unflushed(operation.from)) {
      this.#complain(`${operation.path} gets its name before ${path} is flushed`);
    }
    const parent = operation.path.slice(0, operation.path.lastIndexOf("/"));
    if (!this.#disk.isNamed(parent)) {
      this.#complain(`${operation.path} gets its name before that of its directory is flushed`);
    }
    // A file that is replaced whole: the caller may rely on the new content from the next call on.
    if (operation.from.startsWith(`${operation.path}.`)) {
      this.#replaced.set(operation.thread, operation.path);
    }
  }

  #checkReplaced({ kind, path, thread }: Operation): void {
    const replaced = this.#replaced.get(thread);
    if (replaced === undefined || kind === "flush") return;
    this.#replaced.delete(thread);
    if (this.#disk.isNamed(replaced)) return;
    this.#complain(`${path} follows before the new name ${replaced} is flushed (${kind})`);
  }

  #checkDatabase(operation: Operation): void {
    for (
      const digest of this.#database.follow(operation, this.#disk, (message) => {
        this.#complain(message);
      })
    ) this.#checkRecord(digest, "is written");
  }

  /** The kernel may write at any time: what a record names is durable before the record is written. */
  #checkRecord(digest: string, when: string): void {
    const { data, records } = this.#expectation;
    const { blobs = [], isPackage = false } = records.get(digest) ?? {};
    const paths = blobs.map((blob) => `${data}/blobs/sha256/${blob.slice(0, 2)}/${blob}`);
    if (isPackage) paths.push(`${data}/packages/${digest}`);
    for (const path of paths) {
      for (const lost of this.#disk.unflushed(path)) {
        this.#complain(`the record of ${digest} ${when}, and ${lost} is not flushed`);
      }
      if (this.#disk.isNamed(path)) continue;
      this.#complain(`the record of ${digest} ${when}, and the name ${path} is not flushed`);
    }
  }

  #checkVerdict(operation: Operation): void {
    if (operation.kind !== "write" || !VERDICT.test(operation.path)) return;
    if (EARLY_PHASE.test(operation.data)) return;
    const digest = /"digest": "sha256:(\w{64})"/.exec(operation.data)?.[1];
    if (digest === undefined) this.#complain(`${operation.path} names no package`);
    else if (!this.#database.recorded.has(digest)) {
      this.#complain(`${operation.path} is written before the record of ${digest} is flushed`);
    }
  }

  #apply(operation: Operation): void {
    const { path, end } = operation;
    const disk = this.#disk;
    switch (operation.kind) {
      case "open":
        if (operation.creates && disk.at(path) === undefined) disk.make(path, end);
        return;
      case "write":
      case "change":
      case "map": {
        const node = disk.at(path);
        if (node !== undefined) node.changed = Math.max(node.changed, end);
        return;
      }
      case "flush": {
        const node = disk.at(path);
        if (node !== undefined) node.flushed = Math.max(node.flushed, operation.begin);
        return;
      }
      case "directory":
      case "symlink":
        return disk.make(path, end);
      case "rename":
      case "link": {
        const node = disk.at(operation.from);
        if (node === undefined) return this.#complain(`${operation.from} is not known`);
        if (operation.kind === "rename") disk.take(operation.from);
        return disk.give(path, node, end);
      }
      case "remove":
        return disk.take(path);
    }
  }
}
