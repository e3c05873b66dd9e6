/** Calls that can change what a disk holds, make it durable, or tell where a name is. */
const TRACED = [
  ...["open", "openat", "?openat2", "creat", "mkdir", "mkdirat", "mknod", "mknodat"],
  ...["write", "writev", "pwrite64", "pwritev", "?pwritev2", "sendfile", "copy_file_range"],
  ...["splice", "truncate", "ftruncate", "fallocate", "mmap", "fsync", "fdatasync"],
  ...["sync_file_range", "sync", "syncfs", "rename", "renameat", "renameat2", "link", "linkat"],
  ...["symlink", "symlinkat", "unlink", "unlinkat", "rmdir", "chmod", "fchmod", "fchmodat"],
  ...["?fchmodat2", "chown", "fchown", "lchown", "fchownat", "utimensat", "io_uring_setup"],
];
/** Bytes of each write that are recorded: a whole page of SQLite. */
const RECORDED_BYTES = 4096;

/**
 * A command line that runs the one behind it and records what it and its threads ask of the disk into
 * `file`. The process keeps its id: the tracer is its descendant, and ends with it.
 */
export function recording(file: string): string[] {
  const size = String(RECORDED_BYTES);
  return ["strace", "-D", "-f", "-y", "-s", size, "-o", file, "-e", `trace=${TRACED.join(",")}`];
}

/** One system call of a trace. */
export interface Call {
  readonly thread: number;
  readonly name: string;
  /** As strace prints them. */
  readonly args: readonly string[];
  /** Negative when it failed; undefined when the process ended in it. */
  readonly result: number | undefined;
  /** The line where it began, from 1. */
  readonly begin: number;
  /** The line where it ended: `begin`, unless another thread did something meanwhile. */
  readonly end: number;
}

const LINE = /^(\d+) +(.*)$/;
const CALL = /^(\w+)\((.*)$/s;
const RESUMED = /^<\.\.\. (\w+) resumed>(.*)$/s;
const UNFINISHED = " <unfinished ...>";
const RESULT = /\)\s+= (0x[0-9a-f]+|-?\d+|\?)(?:<|\(| |$)[^"]*$/;

/**
 * Reads what `strace -f -y` wrote, in the order in which the calls began.
 *
 * @throws {Error} for a line of another form: what is not understood must not pass for harmless.
 */
export function parseTrace(text: string): Call[] {
  const calls: Call[] = [];
  const open = new Map<number, { readonly at: number; readonly text: string }>();
  for (const [index, line] of text.split("\n").entries()) {
    const [, pid, rest = ""] = LINE.exec(line) ?? [];
    if (line === "" || /^(?:\+\+\+|---) /.test(rest)) continue;
    const thread = Number(pid);
    const resumed = RESUMED.exec(rest);
    const begun = resumed === null ? undefined : open.get(thread);
    const whole = (begun?.text ?? "") + (resumed?.[2] ?? rest);
    const begin = begun?.at ?? index + 1;
    if (whole.endsWith(UNFINISHED)) {
      open.set(thread, { at: begin, text: whole.slice(0, -UNFINISHED.length) });
      continue;
    }
    open.delete(thread);
    calls.push(callOf(whole, { thread, begin, end: index + 1 }));
  }
  for (const [thread, { at, text }] of open) {
    calls.push(callOf(`${text}) = ?`, { thread, begin: at, end: Infinity }));
  }
  return calls.sort((a, b) => a.begin - b.begin);
}

function callOf(text: string, place: Pick<Call, "thread" | "begin" | "end">): Call {
  const [, name, rest = ""] = CALL.exec(text) ?? [];
  const [ending, result] = RESULT.exec(rest) ?? [];
  if (name === undefined || ending === undefined) {
    throw new Error(`line ${place.begin} of the trace is no call: ${text.slice(0, 200)}`);
  }
  return {
    ...place,
    name,
    args: splitArguments(rest.slice(0, rest.length - ending.length)),
    result: result === "?" ? undefined : Number(result),
  };
}

/** Splits at the commas that are in no string, list or path. */
function splitArguments(text: string): string[] {
  const args: string[] = [];
  const token = /"(?:\\.|[^"\\])*"(?:\.\.\.)?|<[^>]*>|[[{(]|[\]})]|,\s*|[^"<[{(\]}),]+/gs;
  let depth = 0;
  let current = "";
  for (const [piece] of text.matchAll(token)) {
    if (/^[[{(]$/.test(piece)) depth++;
    if (/^[\]})]$/.test(piece)) depth--;
    if (depth === 0 && piece.startsWith(",")) {
      args.push(current);
      current = "";
    } else current += piece;
  }
  return current === "" && args.length === 0 ? [] : [...args, current];
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  t: "\t",
  r: "\r",
  f: "\f",
  v: "\v",
};

/** The bytes of a string argument, each as the character of its number. */
export function stringOf(argument: string): string {
  const text = /^"(.*)"(?:\.\.\.)?$/s.exec(argument)?.[1] ?? "";
  return text.replace(
    /\\([0-7]{1,3}|[^])/g,
    (_, escape: string) =>
      /^[0-7]/.test(escape)
        ? String.fromCharCode(Number.parseInt(escape, 8))
        : ESCAPES[escape] ?? escape,
  );
}

/** The path that strace knows of a descriptor; undefined for a socket or a file without a name. */
export function descriptorPath(argument: string): string | undefined {
  return /^(?:\d+|AT_FDCWD)<(\/.*)>$/.exec(argument)?.[1];
}
