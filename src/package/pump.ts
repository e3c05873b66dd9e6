import { type PackageError, packageError } from "./errors.ts";
import type { Limits } from "./limits.ts";
import type { TarParser } from "./tar.ts";
import type { ByteSource, ReadOptions } from "./types.ts";
import { ZstdDecoder } from "./zstd.ts";

/** Bytes per read of the source. */
const INPUT_BYTES = 1 << 20;
/**
 * Bytes per read after something was passed over, because what follows may be passed over as well;
 * and the fewest bytes that are worth it.
 */
const SHORT_BYTES = 64 << 10;
/** Bytes of the source between two turns of the event loop. */
const TURN_BYTES = 16 << 20;

/**
 * Reads all of the source into the tar parser and says how many bytes there were, those included
 * that nobody wanted: where the source can skip and nothing is compressed, they are not read.
 *
 * @throws {PackageError} EmptyFile, and what the decompressor and the parser throw.
 * @throws what the source throws, unchanged.
 */
export async function pump(
  source: ByteSource,
  options: Pick<ReadOptions, "format" | "onProgress">,
  limits: Limits,
  tar: TarParser,
): Promise<number> {
  if (source.size === 0) throw emptyFile();
  const decoder = options.format === "tar.zst"
    ? new ZstdDecoder(limits.zstdWindowBytes, (chunk) => tar.push(chunk))
    : undefined;
  const target = decoder ?? tar;
  const buffer = new Uint8Array(INPUT_BYTES);
  let input = buffer;
  let total = 0;
  let turnAt = TURN_BYTES;
  try {
    for (;;) {
      const count = source.read(input);
      if (count === 0) break;
      target.push(buffer.subarray(0, count));
      total += count;
      const over = decoder === undefined ? passOver(source, tar, total) : 0;
      total += over;
      input = over > 0 ? buffer.subarray(0, SHORT_BYTES) : buffer;
      options.onProgress?.(total);
      if (total >= turnAt) {
        turnAt = total + TURN_BYTES;
        await new Promise((resolve) => setTimeout(resolve));
      }
    }
    if (total === 0) throw emptyFile();
    decoder?.finish();
    return total;
  } finally {
    decoder?.close();
  }
}

/** Skips what nobody wants, but not past the end: that the file ends early must be noticed. */
function passOver(source: ByteSource, tar: TarParser, position: number): number {
  const bytes = Math.min(tar.unwanted, source.size - position);
  if (source.skip === undefined || bytes < SHORT_BYTES) return 0;
  source.skip(bytes);
  tar.skip(bytes);
  return bytes;
}

function emptyFile(): PackageError {
  return packageError("EmptyFile", "the file: is empty");
}
