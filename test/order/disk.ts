/** Lines of a trace, as times. */
type Time = number;
const BEFORE: Time = -1;

/** A file or directory, whatever its name. */
export interface Node {
  /** When the last change of its own ended; {@linkcode BEFORE} when there was none. */
  changed: Time;
  /** When the last flush that succeeded began. */
  flushed: Time;
  /** The names in a directory; undefined for one that was taken away. */
  readonly names: Map<string, Name | undefined>;
  /** Whether it was made in the trace, so that all names in it are known. */
  readonly made: boolean;
}

interface Name {
  readonly node: Node;
  /** When the name was given. */
  readonly since: Time;
}

/** What is known of a disk below one directory that was there, flushed, before the trace. */
export class Disk {
  readonly #root: string;
  readonly #top: Node = { changed: BEFORE, flushed: BEFORE, names: new Map(), made: false };

  /** @param root an absolute path. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Whether `path` is below the root. */
  holds(path: string): boolean {
    return path.startsWith(`${this.#root}/`);
  }

  /** What has this name; undefined when it is known that nothing has. */
  at(path: string): Node | undefined {
    let node: Node | undefined = this.#top;
    for (const name of this.#steps(path)) {
      if (node === undefined) return undefined;
      node = this.#below(node, name)?.node;
    }
    return node;
  }

  /** Gives a new file or directory its name. */
  make(path: string, time: Time): void {
    this.give(path, { changed: time, flushed: BEFORE, names: new Map(), made: true }, time);
  }

  /** Gives what is there already a name, in place of what had it. */
  give(path: string, node: Node, time: Time): void {
    const at = path.lastIndexOf("/");
    this.at(path.slice(0, at))?.names.set(path.slice(at + 1), { node, since: time });
  }

  /** Takes a name away. */
  take(path: string): void {
    const at = path.lastIndexOf("/");
    this.at(path.slice(0, at))?.names.set(path.slice(at + 1), undefined);
  }

  /** Whether a power cut leaves every name on the way to `path`. */
  isNamed(path: string): boolean {
    let node: Node = this.#top;
    for (const step of this.#steps(path)) {
      const name = this.#below(node, step);
      if (name === undefined || !isFlushed(node, name.since)) return false;
      node = name.node;
    }
    return true;
  }

  /** The paths at and below `path` of which a power cut may take bytes, mode or name. */
  unflushed(path: string): string[] {
    const node = this.at(path);
    return node === undefined ? [path] : unflushedBelow(node, path);
  }

  /** Every name that was given in the trace. */
  *given(path = this.#root, node: Node = this.#top): Generator<string> {
    for (const [step, name] of node.names) {
      if (name === undefined) continue;
      const child = `${path}/${step}`;
      if (name.since !== BEFORE) yield child;
      yield* this.given(child, name.node);
    }
  }

  #steps(path: string): string[] {
    return path.slice(this.#root.length + 1).split("/").filter((step) => step !== "");
  }

  #below(node: Node, step: string): Name | undefined {
    if (node.made || node.names.has(step)) return node.names.get(step);
    const before = { changed: BEFORE, flushed: BEFORE, names: new Map(), made: false };
    const name = { node: before, since: BEFORE };
    node.names.set(step, name);
    return name;
  }
}

function isFlushed(node: Node, time: Time): boolean {
  return time === BEFORE || time < node.flushed;
}

function unflushedBelow(node: Node, path: string): string[] {
  const own = isFlushed(node, node.changed) ? [] : [path];
  return [
    ...own,
    ...[...node.names].flatMap(([step, name]) => {
      if (name === undefined) return [];
      const child = `${path}/${step}`;
      return isFlushed(node, name.since) ? unflushedBelow(name.node, child) : [child];
    }),
  ];
}
