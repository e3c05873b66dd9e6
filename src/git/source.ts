import { GitError } from "./errors.ts";
import { isOwnDirectory } from "../std/mod.ts";

/** The most references of one repository. */
const MAX_REFERENCES = 100_000;
/** The longest file that holds one reference, in bytes. */
const MAX_REFERENCE_FILE = 4_096;
/** How deep names of references may be nested. */
const MAX_DEPTH = 32;

const OBJECT_NAME = /^[0-9a-f]{40}$/;
const SYMBOLIC_HEAD = /^ref: refs\/heads\/(\S+)\s*$/;
const FAN_OUT = /^[0-9a-f]{2}$/;
const LOOSE_OBJECT = /^[0-9a-f]{38}$/;
const PACK = /^pack-[0-9a-f]{40}\.(pack|idx)$/;

/** A repository of a package, made fit to be read. */
export interface SourceRepository {
  /** A bare repository that holds nothing but objects and branches and tags. */
  readonly directory: string;
  /** The branch that it has checked out, if it is on one. */
  readonly head: string | undefined;
}

/**
 * Makes a bare repository of the clone that lies in a package, in a new directory on the same file
 * system, by hard links. Only plain files whose names are those of objects and references come along:
 * no configuration, hooks, alternates, grafts, replacements or links, so that what a package says
 * there is neither run nor followed.
 *
 * @param clone a directory with `.git` in it, as Zarf packs it.
 * @throws {GitError} `RepositoryBroken`.
 */
export function copySource(clone: string, directory: string): SourceRepository {
  const from = `${clone}/.git`;
  if (!isOwnDirectory(clone) || !isOwnDirectory(from)) throw broken("it is not in the package");
  for (const path of ["objects/pack", "refs/heads", "refs/tags"]) {
    Deno.mkdirSync(`${directory}/${path}`, { recursive: true });
  }
  Deno.writeTextFileSync(`${directory}/config`, BARE);
  Deno.writeTextFileSync(`${directory}/HEAD`, "ref: refs/heads/main\n");
  copyObjects(`${from}/objects`, `${directory}/objects`);
  for (const name of ["packed-refs", "shallow"]) {
    linkFile(`${from}/${name}`, `${directory}/${name}`);
  }
  const budget = { left: MAX_REFERENCES };
  if (isOwnDirectory(`${from}/refs`)) {
    for (const kind of ["heads", "tags"]) {
      copyReferences(`${from}/refs/${kind}`, `${directory}/refs/${kind}`, budget, 0);
    }
  }
  return { directory, head: headOf(`${from}/HEAD`) };
}

const BARE = "[core]\n\trepositoryformatversion = 0\n\tbare = true\n";

function copyObjects(from: string, to: string): void {
  if (!isOwnDirectory(from)) throw broken("it has no objects");
  for (const { name, isDirectory } of Deno.readDirSync(from)) {
    if (!isDirectory || (name !== "pack" && !FAN_OUT.test(name))) continue;
    Deno.mkdirSync(`${to}/${name}`, { recursive: true });
    const wanted = name === "pack" ? PACK : LOOSE_OBJECT;
    for (const entry of Deno.readDirSync(`${from}/${name}`)) {
      if (!entry.isFile || !wanted.test(entry.name)) continue;
      Deno.linkSync(`${from}/${name}/${entry.name}`, `${to}/${name}/${entry.name}`);
    }
  }
}

function copyReferences(from: string, to: string, budget: { left: number }, depth: number): void {
  if (depth > MAX_DEPTH) throw broken("its references are nested too deeply");
  if (!isOwnDirectory(from)) return;
  for (const entry of Deno.readDirSync(from)) {
    const [source, target] = [`${from}/${entry.name}`, `${to}/${entry.name}`];
    if (entry.isDirectory) {
      Deno.mkdirSync(target, { recursive: true });
      copyReferences(source, target, budget, depth + 1);
    } else if (entry.isFile) {
      if (budget.left-- <= 0) throw broken(`it has more than ${MAX_REFERENCES} references`);
      const text = readShort(source)?.trimEnd() ?? "";
      if (OBJECT_NAME.test(text)) Deno.writeTextFileSync(target, `${text}\n`);
    }
  }
}

function headOf(path: string): string | undefined {
  return SYMBOLIC_HEAD.exec(readShort(path) ?? "")?.[1];
}

/** The text of a plain file that is no longer than a reference's. */
function readShort(path: string): string | undefined {
  try {
    const { isFile, size } = Deno.lstatSync(path);
    return isFile && size <= MAX_REFERENCE_FILE ? Deno.readTextFileSync(path) : undefined;
  } catch {
    return undefined;
  }
}

function linkFile(from: string, to: string): void {
  try {
    if (Deno.lstatSync(from).isFile) Deno.linkSync(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

function broken(why: string): GitError {
  return new GitError({
    reason: "RepositoryBroken",
    message: `the repository cannot be read from the package: ${why}`,
    kept: "what is served is as it was",
    remedy: "build the package anew",
  });
}
