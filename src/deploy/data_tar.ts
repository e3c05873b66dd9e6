import { gnuTarHeader, TAR_END_BYTES, tarPadding } from "../package/mod.ts";

/** How much of a file is held at once, in bytes; larger pieces pile up until they are collected. */
const CHUNK = 64 << 10;

/**
 * What is below a directory as a tar that GNU tar and busybox read, as `tar -c -C DIRECTORY .` makes
 * it: names begin with `./`, modes and times are the files', the owner is root. Links stay links. One
 * piece of one file is held at a time.
 */
export class DataTar implements AsyncIterable<Uint8Array> {
  readonly #directory: string;
  #whole = false;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Whether everything was given out; not so when somebody stopped taking it, or a file failed. */
  get whole(): boolean {
    return this.#whole;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    yield* this.#entry(".");
    this.#whole = true;
    yield new Uint8Array(TAR_END_BYTES);
  }

  async *#entry(name: string): AsyncGenerator<Uint8Array> {
    const path = `${this.#directory}/${name}`;
    const info = await Deno.lstat(path);
    const attributes = {
      mode: (info.mode ?? 0) & 0o777,
      mtime: Math.max(0, Math.floor((info.mtime?.getTime() ?? 0) / 1000)),
    };
    if (info.isSymlink) {
      const target = await Deno.readLink(path);
      yield gnuTarHeader(name, "symlink", 0, { ...attributes, target });
    } else if (info.isDirectory) {
      yield gnuTarHeader(`${name}/`, "directory", 0, attributes);
      for (const below of namesIn(path)) yield* this.#entry(`${name}/${below}`);
    } else {
      yield gnuTarHeader(name, "file", info.size, attributes);
      yield* contentOf(path, info.size);
    }
  }
}

function namesIn(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
}

async function* contentOf(path: string, size: number): AsyncGenerator<Uint8Array> {
  using file = await Deno.open(path);
  for (let left = size; left > 0;) {
    const buffer = new Uint8Array(Math.min(CHUNK, left));
    const read = await file.read(buffer);
    if (read === null) throw new RangeError(`${path} has become shorter`);
    left -= read;
    yield buffer.subarray(0, read);
  }
  const padding = tarPadding(size);
  if (padding > 0) yield new Uint8Array(padding);
}

/** The tar of one empty file, as the marker comes into a pod. */
export function markerTar(name: string): Uint8Array {
  const mtime = Math.floor(Date.now() / 1000);
  const header = gnuTarHeader(name, "file", 0, { mode: 0o644, mtime });
  const tar = new Uint8Array(header.length + TAR_END_BYTES);
  tar.set(header);
  return tar;
}

/** The same, compressed as `tar -z` does it. */
export function compressed(chunks: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const stream = ReadableStream.from(chunks) as ReadableStream<Uint8Array<ArrayBuffer>>;
  return stream.pipeThrough(new CompressionStream("gzip"));
}
