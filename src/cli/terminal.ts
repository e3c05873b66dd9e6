import { describeError } from "../std/mod.ts";

/** Where a command writes; tests bring their own. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Of the screen that `err` writes to; undefined where that is none. */
  columns?(): number | undefined;
}

/** The process's own output. A reader that has gone away is no failure of ours. */
export const systemTerminal: Terminal = {
  out: (text) => writeAll(Deno.stdout, text),
  err: (text) => writeAll(Deno.stderr, text),
  columns: () => Deno.stderr.isTerminal() ? Deno.consoleSize().columns : undefined,
};

/** One line: what failed, why, what was kept, what to do. */
export function errorLine(error: unknown): string {
  return `holdfast: ${describeError(error)}\n`;
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let rest = new TextEncoder().encode(text);
  try {
    while (rest.length > 0) rest = rest.subarray(stream.writeSync(rest));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}
