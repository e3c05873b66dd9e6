/** How much of each end of a file is looked at, in bytes (Go, net/http DetectContentType). */
const LOOK = 512;
/** Beginnings of files of other kinds that are printable themselves (net/http/sniff.go). */
const NOT_TEXT = /^(%PDF-|%!PS-Adobe-|BM|GIF87a|GIF89a|ID3|OTTO|ttcf|wOFF|wOF2)/;

/**
 * Whether Zarf takes a file for text and fills in its variables (defenseunicorns/pkg helpers/v2,
 * text.go IsTextFile): its first and last 512 bytes are.
 */
export function isTextFile(path: string): boolean {
  using file = Deno.openSync(path);
  const { size } = file.statSync();
  return isText(readAt(file, 0)) && isText(readAt(file, Math.max(0, size - LOOK)));
}

function readAt(file: Deno.FsFile, offset: number): Uint8Array {
  file.seekSync(offset, Deno.SeekMode.Start);
  const bytes = new Uint8Array(LOOK);
  return bytes.subarray(0, file.readSync(bytes) ?? 0);
}

/** The rules of mimesniff.spec.whatwg.org §7.1 as Go has them: no control characters but a few. */
function isText(bytes: Uint8Array): boolean {
  if (NOT_TEXT.test(String.fromCharCode(...bytes.subarray(0, 16)))) return false;
  return bytes.every((byte) =>
    byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0c || byte === 0x0d ||
    byte === 0x1b
  );
}
