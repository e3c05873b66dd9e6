import { ExtensionError } from "./errors.ts";

/** Processors that an image is built for, by Go's name. */
export type Architecture = "amd64" | "arm64";

/** What of an ELF file says how it is started (System V ABI, chapters 4 and 5). */
export interface Elf {
  /** Undefined for a processor that no image is built for. */
  readonly architecture: Architecture | undefined;
  /** Path of the loader; a static program and a library have none. */
  readonly interpreter: string | undefined;
  /** Names of the libraries that it asks for. */
  readonly needed: readonly string[];
  /** Names of its sections. */
  readonly sections: readonly string[];
}

/** `e_machine` of the processors. */
const MACHINES: Readonly<Record<number, Architecture>> = { 62: "amd64", 183: "arm64" };
const HEADER_SIZE = 64;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1;
const DT_STRTAB = 5;
const SHT_NOBITS = 8;
/** The largest table that is read, in bytes; git's dynamic strings have 10 KB. */
const MAX_TABLE = 16 << 20;

/** A part of the file that becomes a part of memory. */
interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
}

/**
 * Reads an ELF file's headers, never its content.
 *
 * @throws {ExtensionError} `NotElf` when it is none of 64 bits and little-endian.
 */
export function readElf(path: string): Elf {
  using file = Deno.openSync(path);
  const header = read(file, 0, HEADER_SIZE);
  if (header.byteLength < HEADER_SIZE || header.getUint32(0) !== 0x7f454c46) throw notElf(path);
  if (header.getUint8(4) !== 2 || header.getUint8(5) !== 1) throw notElf(path);
  const segments = segmentsOf(file, header);
  const interpreter = segments.find(({ type }) => type === PT_INTERP);
  return {
    architecture: MACHINES[header.getUint16(18, true)],
    interpreter: interpreter && text(read(file, interpreter.offset, interpreter.size), 0),
    needed: neededOf(file, segments),
    sections: sectionsOf(file, header),
  };
}

/** Whether a file begins as an ELF file does. */
export function isElf(path: string): boolean {
  using file = Deno.openSync(path);
  const header = read(file, 0, 4);
  return header.byteLength === 4 && header.getUint32(0) === 0x7f454c46;
}

function segmentsOf(file: Deno.FsFile, header: DataView): Segment[] {
  const size = header.getUint16(54, true);
  const count = header.getUint16(56, true);
  const table = read(file, wide(header, 32), size * count);
  return Array.from({ length: count }, (_, at) => ({
    type: table.getUint32(at * size, true),
    offset: wide(table, at * size + 8),
    address: wide(table, at * size + 16),
    size: wide(table, at * size + 32),
  }));
}

function neededOf(file: Deno.FsFile, segments: readonly Segment[]): string[] {
  const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
  if (dynamic === undefined) return [];
  const table = read(file, dynamic.offset, dynamic.size);
  const entries = Array.from({ length: Math.floor(table.byteLength / 16) }, (_, at) => ({
    tag: wide(table, at * 16),
    value: wide(table, at * 16 + 8),
  }));
  const strings = entries.find(({ tag }) => tag === DT_STRTAB)?.value;
  const holder = segments.find(({ type, address, size }) =>
    type === PT_LOAD && strings !== undefined && strings >= address && strings < address + size
  );
  if (strings === undefined || holder === undefined) return [];
  const start = strings - holder.address;
  const names = read(file, holder.offset + start, holder.size - start);
  return entries.filter(({ tag }) => tag === DT_NEEDED).map(({ value }) => text(names, value));
}

function sectionsOf(file: Deno.FsFile, header: DataView): string[] {
  const size = header.getUint16(58, true);
  const count = header.getUint16(60, true);
  const table = read(file, wide(header, 40), size * count);
  const names = header.getUint16(62, true) * size;
  if (names >= table.byteLength || table.getUint32(names + 4, true) === SHT_NOBITS) return [];
  const strings = read(file, wide(table, names + 24), wide(table, names + 32));
  return Array.from({ length: count }, (_, at) => text(strings, table.getUint32(at * size, true)))
    .filter((name) => name !== "");
}

function read(file: Deno.FsFile, offset: number, length: number): DataView {
  const bytes = new Uint8Array(Math.min(length, MAX_TABLE));
  file.seekSync(offset, Deno.SeekMode.Start);
  let done = 0;
  while (done < bytes.length) {
    const count = file.readSync(bytes.subarray(done));
    if (count === null) break;
    done += count;
  }
  return new DataView(bytes.buffer, 0, done);
}

function wide(view: DataView, at: number): number {
  return Number(view.getBigUint64(at, true));
}

/** The text from `at` up to its NUL. */
function text(view: DataView, at: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, view.byteLength - at);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function notElf(path: string): ExtensionError {
  return new ExtensionError({
    reason: "NotElf",
    message: `${path} is not a program or library of 64 bits (ELF)`,
  });
}
