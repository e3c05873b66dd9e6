import { type Call, descriptorPath, stringOf } from "./strace.ts";

/** What a call does to the disk. */
export type Action =
  /** Opens for writing; `creates` when there may have been no file before. */
  | { readonly kind: "open"; readonly path: string; readonly creates: boolean }
  /** `data` is what is recorded of the bytes, each as the character of its number. */
  | { readonly kind: "write"; readonly path: string; readonly data: string }
  /** Changes a file otherwise: its length, mode, owner, times. */
  | { readonly kind: "change"; readonly path: string }
  | { readonly kind: "map"; readonly path: string }
  | { readonly kind: "flush"; readonly path: string }
  | { readonly kind: "rename"; readonly from: string; readonly path: string }
  | { readonly kind: "link"; readonly from: string; readonly path: string }
  | { readonly kind: "symlink"; readonly path: string }
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "remove"; readonly path: string };

/** A call that succeeded, or that the process ended in. */
export type Operation = Action & Pick<Call, "thread" | "begin" | "end">;

/**
 * The operations of a trace. Calls that failed and files without a name are left out.
 *
 * @throws {Error} for a call that this program does not follow.
 */
export function operationsOf(calls: readonly Call[]): Operation[] {
  return calls.flatMap((call) => {
    if (call.result !== undefined && call.result < 0) return [];
    const action = actionOf(call);
    const { thread, begin, end } = call;
    // A flush that did not return has promised nothing.
    if (action === undefined || action.kind === "flush" && call.result === undefined) return [];
    return [{ ...action, thread, begin, end }];
  });
}

type Reader = (args: readonly string[]) => Action | undefined;

const READERS: Readonly<Record<string, Reader>> = {
  open: ([path, flags]) => opened(name(path), flags),
  openat: ([at, path, flags]) => opened(below(at, path), flags),
  creat: ([path]) => opened(name(path), "O_WRONLY|O_CREAT|O_TRUNC"),
  mkdir: ([path]) => of("directory", name(path)),
  mkdirat: ([at, path]) => of("directory", below(at, path)),
  write: ([file, data]) => written(file, data),
  pwrite64: ([file, data]) => written(file, data),
  writev: ([file, data]) => written(file, data),
  pwritev: ([file, data]) => written(file, data),
  pwritev2: ([file, data]) => written(file, data),
  sendfile: ([to]) => written(to, ""),
  copy_file_range: ([, , to]) => written(to, ""),
  splice: ([, , to]) => written(to, ""),
  truncate: ([path]) => of("change", name(path)),
  ftruncate: ([file]) => of("change", descriptor(file)),
  fallocate: ([file]) => of("change", descriptor(file)),
  chmod: ([path]) => of("change", name(path)),
  fchmod: ([file]) => of("change", descriptor(file)),
  fchmodat: ([at, path]) => of("change", below(at, path)),
  fchmodat2: ([at, path]) => of("change", below(at, path)),
  chown: ([path]) => of("change", name(path)),
  lchown: ([path]) => of("change", name(path)),
  fchown: ([file]) => of("change", descriptor(file)),
  fchownat: ([at, path]) => of("change", below(at, path)),
  utimensat: ([at, path]) => of("change", path === "NULL" ? descriptor(at) : below(at, path)),
  mmap: ([, , protection, flags, file]) =>
    /PROT_WRITE/.test(protection ?? "") && /MAP_SHARED/.test(flags ?? "")
      ? of("map", descriptor(file))
      : undefined,
  fsync: ([file]) => of("flush", descriptor(file)),
  fdatasync: ([file]) => of("flush", descriptor(file)),
  // It does not wait for metadata, nor for the disk's own cache: no promise.
  sync_file_range: () => undefined,
  rename: ([from, to]) => moved("rename", name(from), name(to)),
  renameat: ([at, from, to, path]) => moved("rename", below(at, from), below(to, path)),
  renameat2: ([at, from, to, path]) => moved("rename", below(at, from), below(to, path)),
  link: ([from, to]) => moved("link", name(from), name(to)),
  linkat: ([at, from, to, path]) => moved("link", below(at, from), below(to, path)),
  symlink: ([, path]) => of("symlink", name(path)),
  symlinkat: ([, at, path]) => of("symlink", below(at, path)),
  unlink: ([path]) => of("remove", name(path)),
  unlinkat: ([at, path]) => of("remove", below(at, path)),
  rmdir: ([path]) => of("remove", name(path)),
};

function actionOf(call: Call): Action | undefined {
  const reader = READERS[call.name];
  if (reader !== undefined) return reader(call.args);
  throw new Error(`line ${call.begin} of the trace: ${call.name} is not followed`);
}

function opened(path: string | undefined, flags = ""): Action | undefined {
  if (path === undefined || !/O_WRONLY|O_RDWR|O_CREAT|O_TRUNC/.test(flags)) return undefined;
  return { kind: "open", path, creates: /O_CREAT|O_TRUNC/.test(flags) };
}

function written(file: string | undefined, data = ""): Action | undefined {
  const path = descriptor(file);
  if (path === undefined) return undefined;
  const pieces = [...data.matchAll(/"(?:\\.|[^"\\])*"/gs)].map(([piece]) => stringOf(piece));
  return { kind: "write", path, data: pieces.join("") };
}

function of(
  kind: "change" | "map" | "flush" | "directory" | "symlink" | "remove",
  path: string | undefined,
): Action | undefined {
  return path === undefined ? undefined : { kind, path };
}

function moved(
  kind: "rename" | "link",
  from: string | undefined,
  path: string | undefined,
): Action | undefined {
  return from === undefined || path === undefined ? undefined : { kind, from, path };
}

function name(argument = ""): string | undefined {
  const path = stringOf(argument);
  return path.startsWith("/") ? path : undefined;
}

function descriptor(argument = ""): string | undefined {
  return descriptorPath(argument);
}

function below(directory = "", argument = ""): string | undefined {
  const path = stringOf(argument);
  const base = descriptorPath(directory);
  if (path.startsWith("/")) return path;
  return base === undefined ? undefined : path === "" ? base : `${base}/${path}`;
}
