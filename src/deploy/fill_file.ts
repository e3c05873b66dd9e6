import { DeployError } from "./errors.ts";
import { applyTemplates, type Templates } from "./template.ts";

/** How much is read at once, in bytes. */
const CHUNK = 1 << 20;
/** The longest line, in bytes. */
const MAX_LINE = 32 << 20;

/**
 * Copies a text and fills in its variables on the way, in pieces that end with a line, so that it may
 * have any size. A line that is not UTF-8 is copied as it is.
 *
 * @throws {DeployError} `FileFailed` for a line that is too long, or that names a variable and is not
 * UTF-8.
 */
export function copyFilled(from: Deno.FsFile, to: Deno.FsFile, templates: Templates): void {
  let held = new Uint8Array();
  const buffer = new Uint8Array(CHUNK);
  for (;;) {
    const read = from.readSync(buffer);
    if (read === null) break;
    held = joined(held, buffer.subarray(0, read));
    const end = held.lastIndexOf(NEWLINE) + 1;
    if (end === 0 && held.length > MAX_LINE) {
      throw failed(`a line of it is longer than ${MAX_LINE} bytes`);
    }
    writeAll(to, filled(held.subarray(0, end), templates));
    held = held.slice(end);
  }
  writeAll(to, filled(held, templates));
}

function filled(bytes: Uint8Array, templates: Templates): Uint8Array {
  const text = decoded(bytes);
  if (text !== undefined) return encoder.encode(applyTemplates(text, templates));
  return linesOf(bytes).map((line) => {
    const one = decoded(line);
    if (one !== undefined) return encoder.encode(applyTemplates(one, templates));
    if (!new TextDecoder("latin1").decode(line).includes("###ZARF_")) return line;
    throw failed("a line with a variable is not UTF-8");
  }).reduce(joined, new Uint8Array());
}

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = [];
  for (let start = 0; start < bytes.length;) {
    const at = bytes.indexOf(NEWLINE, start);
    const end = at < 0 ? bytes.length : at + 1;
    lines.push(bytes.subarray(start, end));
    start = end;
  }
  return lines;
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
}

function failed(message: string): DeployError {
  return new DeployError({ reason: "FileFailed", message });
}

const NEWLINE = 10;
const encoder = new TextEncoder();
