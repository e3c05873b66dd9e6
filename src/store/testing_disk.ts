import { type StoreFs, systemStoreFs } from "./fs.ts";

/** Thrown by every call from the one at which the power is cut. */
export class PowerCut extends Error {}

/** What a power cut makes of changes that were not flushed. */
export interface Luck {
  /** Whether a name that was given or taken away is so on the disk; times only grow. */
  keeps(time: number): boolean;
  /** What is there of a file that was changed since it was flushed; `flushed` is what was then. */
  bytes(written: Uint8Array, flushed: Uint8Array | undefined): Uint8Array;
  /** Which mode such a file has. */
  mode(set: number, flushed: number | undefined): number;
}

interface FileNode {
  readonly kind: "file";
  bytes: Uint8Array;
  mode: number;
  /** As it was when it was flushed last. */
  flushed: { readonly bytes: Uint8Array; readonly mode: number } | undefined;
}

interface LinkNode {
  readonly kind: "link";
  readonly target: string;
}

interface DirectoryNode {
  readonly kind: "directory";
  /** As everybody sees it. */
  readonly names: Map<string, Node>;
  /** As it was when it was flushed last. */
  flushed: ReadonlyMap<string, Node>;
  /** What came since, in order; undefined for a name that was taken away. */
  changes: { readonly time: number; readonly name: string; readonly node: Node | undefined }[];
}

type Node = FileNode | LinkNode | DirectoryNode;

/** Something that a power cut leaves. */
export type Survivor =
  | { readonly kind: "file"; readonly bytes: Uint8Array; readonly mode: number }
  | { readonly kind: "link"; readonly target: string }
  | { readonly kind: "directory" };

/** Flushes that a disk may only pretend to do. */
export type Lie = "fsyncFile" | "fsyncDir";

/**
 * A real directory of which is known what the disk below it would hold after a power cut: of files
 * the bytes and mode of their last flush, of directories the names of theirs, and of everything since
 * whatever chance has left. SQLite's files are not among it: of the database only its name is known.
 */
export class LossyDisk {
  /** Called before each call of {@linkcode LossyDisk.fs}; what it throws comes out of it. */
  beforeCall: (call: keyof StoreFs | "write", path: string) => void = () => {};
  readonly fs: StoreFs;
  readonly #root: string;
  readonly #lies: ReadonlySet<Lie>;
  #top: DirectoryNode;
  #time = 0;

  /** @param root what is below it is flushed. */
  constructor(root: string, ...lies: Lie[]) {
    this.#root = root;
    this.#lies = new Set(lies);
    this.#top = readDirectory(root);
    this.fs = this.#watched();
  }

  /** How many changes it has seen. */
  get time(): number {
    return this.#time;
  }

  /** Flushes everything, as a system does that has some seconds or is shut down in order. */
  settle(): void {
    this.#top = readDirectory(this.#root);
  }

  /** Everything below `path` that is there after a power cut now, parents first. */
  *survivors(luck: Luck, path = ""): Generator<readonly [string, Survivor]> {
    const node = this.#find(`${this.#root}/${path}`);
    if (node?.kind === "directory") yield* survivorsBelow(node, luck, "");
  }

  /** Makes `target` the disk after a power cut now. */
  leave(target: string, luck: Luck): void {
    Deno.mkdirSync(target);
    for (const [name, survivor] of this.survivors(luck)) {
      const path = `${target}/${name}`;
      if (survivor.kind === "directory") Deno.mkdirSync(path);
      else if (survivor.kind === "link") Deno.symlinkSync(survivor.target, path);
      else {
        Deno.writeFileSync(path, survivor.bytes, { createNew: true });
        Deno.chmodSync(path, survivor.mode);
      }
    }
  }

  #watched(): StoreFs {
    const watched = <A extends unknown[]>(
      name: keyof StoreFs,
      call: (path: string, ...rest: A) => void,
      follow: (path: string, ...rest: A) => void,
    ) =>
    (path: string, ...rest: A): void => {
      this.beforeCall(name, path);
      call(path, ...rest);
      this.#time++;
      follow(path, ...rest);
    };
    const { fsyncFile, fsyncDir, rename, writeNew, mkdir, remove } = systemStoreFs;
    const { create, touch, chmod, link, symlink, chown, utime } = systemStoreFs;
    return {
      fsyncFile: watched("fsyncFile", fsyncFile, (path) => this.#flushFile(path)),
      fsyncDir: watched("fsyncDir", fsyncDir, (path) => this.#flushDirectory(path)),
      rename: watched("rename", rename, (from, to) => this.#rename(from, to)),
      writeNew: watched("writeNew", writeNew, (path, bytes) => {
        this.#make(path, newFile(0o644)).bytes = bytes.slice();
      }),
      mkdir: watched("mkdir", mkdir, (path) => void this.#make(path, newDirectory())),
      remove: watched("remove", remove, (path) => this.#remove(path)),
      touch: watched("touch", touch, (path, mode) => {
        if (this.#find(path) === undefined) this.#make(path, newFile(mode));
      }),
      chmod: watched("chmod", chmod, (path, mode) => {
        const node = this.#find(path);
        if (node?.kind === "file") node.mode = mode;
      }),
      chown: watched("chown", chown, () => {}),
      utime: watched("utime", utime, () => {}),
      link: watched("link", link, (from, to) => this.#give(to, this.#known(from))),
      symlink: watched("symlink", symlink, (target, path) => {
        this.#make(path, { kind: "link", target });
      }),
      create: (path, mode) => {
        this.beforeCall("create", path);
        const sink = create(path, mode);
        this.#time++;
        const file = this.#make(path, newFile(mode | 0o200));
        return {
          close: () => sink.close(),
          write: (bytes) => {
            this.beforeCall("write", path);
            sink.write(bytes);
            this.#time++;
            file.bytes = joined(file.bytes, bytes);
          },
        };
      },
    };
  }

  #find(path: string): Node | undefined {
    let node: Node | undefined = this.#top;
    const below = path.slice(this.#root.length);
    if (path !== this.#root && !path.startsWith(`${this.#root}/`)) return undefined;
    for (const name of below.split("/").filter((name) => name !== "")) {
      node = node?.kind === "directory" ? node.names.get(name) : undefined;
    }
    return node;
  }

  #known(path: string): Node {
    const node = this.#find(path);
    if (node === undefined) throw new Error(`${path} was made past the disk`);
    return node;
  }

  #make<N extends Node>(path: string, node: N): N {
    this.#give(path, node);
    return node;
  }

  #give(path: string, node: Node | undefined): void {
    const at = path.lastIndexOf("/");
    const directory = this.#known(path.slice(0, at));
    if (directory.kind !== "directory") throw new Error(`${path} is in no directory`);
    const name = path.slice(at + 1);
    if (node === undefined) directory.names.delete(name);
    else directory.names.set(name, node);
    directory.changes.push({ time: this.#time, name, node });
  }

  #rename(from: string, to: string): void {
    const node = this.#known(from);
    this.#give(from, undefined);
    this.#give(to, node);
  }

  #remove(path: string): void {
    const node = this.#known(path);
    if (node.kind === "directory") {
      for (const name of [...node.names.keys()]) this.#remove(`${path}/${name}`);
    }
    this.#time++;
    this.#give(path, undefined);
  }

  #flushFile(path: string): void {
    const node = this.#find(path);
    if (node?.kind !== "file" || this.#lies.has("fsyncFile")) return;
    node.flushed = { bytes: node.bytes, mode: node.mode };
  }

  #flushDirectory(path: string): void {
    const node = this.#find(path);
    if (node?.kind !== "directory" || this.#lies.has("fsyncDir")) return;
    node.flushed = new Map(node.names);
    node.changes = [];
  }
}

function* survivorsBelow(
  directory: DirectoryNode,
  luck: Luck,
  below: string,
): Generator<readonly [string, Survivor]> {
  const names = new Map(directory.flushed);
  for (const { time, name, node } of directory.changes) {
    if (!luck.keeps(time)) continue;
    if (node === undefined) names.delete(name);
    else names.set(name, node);
  }
  for (const [name, node] of names) {
    const path = `${below}${name}`;
    if (node.kind === "file") yield [path, survivingFile(node, luck)];
    else yield [path, node];
    if (node.kind === "directory") yield* survivorsBelow(node, luck, `${path}/`);
  }
}

function survivingFile({ bytes, mode, flushed }: FileNode, luck: Luck): Survivor {
  return {
    kind: "file",
    bytes: bytes === flushed?.bytes ? bytes : luck.bytes(bytes, flushed?.bytes),
    mode: mode === flushed?.mode ? mode : luck.mode(mode, flushed?.mode),
  };
}

function newFile(mode: number): FileNode {
  return { kind: "file", bytes: new Uint8Array(), mode, flushed: undefined };
}

function newDirectory(): DirectoryNode {
  return { kind: "directory", names: new Map(), flushed: new Map(), changes: [] };
}

function readDirectory(path: string): DirectoryNode {
  const names = new Map<string, Node>();
  for (const entry of Deno.readDirSync(path)) {
    if (/^holdfast\.db-(?:wal|shm)$/.test(entry.name)) continue;
    const child = `${path}/${entry.name}`;
    if (entry.isDirectory) names.set(entry.name, readDirectory(child));
    else if (entry.isSymlink) {
      names.set(entry.name, { kind: "link", target: Deno.readLinkSync(child) });
    } else names.set(entry.name, readFile(child));
  }
  return { kind: "directory", names, flushed: new Map(names), changes: [] };
}

function readFile(path: string): FileNode {
  const bytes = Deno.readFileSync(path);
  const mode = (Deno.statSync(path).mode ?? 0) & 0o777;
  return { kind: "file", bytes, mode, flushed: { bytes, mode } };
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array {
  const whole = new Uint8Array(one.length + other.length);
  whole.set(one);
  whole.set(other, one.length);
  return whole;
}
