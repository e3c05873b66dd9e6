import { createHash } from "node:crypto";
import { basename, normalize } from "node:path";
import type { ZarfComponent, ZarfFile } from "../package/mod.ts";
import {
  describeError,
  dirname,
  ensureDir,
  removeQuietly,
  removeUnfinished,
  systemFs,
} from "../std/mod.ts";
import type { FillTemplates } from "./actions.ts";
import { DeployError } from "./errors.ts";
import { deployFailpoint } from "./failpoints.ts";
import { copyFilled } from "./fill_file.ts";
import { type FilePlaces, isBelow, resolveTarget, staysBelow, type Target } from "./file_target.ts";
import type { Templates } from "./template.ts";
import { isTextFile } from "./text_file.ts";

/** How much is read at once, in bytes. */
const CHUNK = 1 << 20;
/** The largest file with Go templates, in bytes. */
const MAX_TEMPLATE = 32 << 20;
/** The modes of a placed file (Zarf 0.84, src/pkg/packager/assemble: 0600, executable 0700). */
const FILE_MODE = 0o600;
const EXECUTABLE_MODE = 0o700;

/** What files are put in place with. */
export interface FileContext extends FilePlaces {
  /** `…/components/<name>` of the unpacked package. */
  readonly directory: string;
  readonly templates: Templates;
  /** For files with `template`. */
  readonly fillTemplates: FillTemplates;
}

/**
 * Puts a component's files in their places on this node (Zarf 0.84, src/pkg/packager/deploy.go
 * processComponentFiles): verified, filled in where they are text, durable. Each file is replaced
 * whole; doing it again changes nothing.
 *
 * @throws {DeployError} `FilesRefused` for a path that leads out of its root by now, `PackageBroken`
 * for a file that is not what the package says, `TemplateFailed` and `ValuesInvalid` for a Go template,
 * `FileFailed` for what the disk does not let it.
 */
export async function placeFiles(component: ZarfComponent, context: FileContext): Promise<void> {
  for (const [index, file] of component.files.entries()) {
    const source = `${context.directory}/files/${index}/${basename(file.target)}`;
    try {
      await placeFile(file, source, context);
    } catch (error) {
      if (error instanceof DeployError && error.reason !== "FileFailed") throw error;
      throw new DeployError({
        reason: "FileFailed",
        message: `the file ${file.target} cannot be put in its place: ${describeError(error)}`,
        kept: "what was there before is unchanged",
        disposition: error instanceof DeployError ? error.disposition : "retry",
      });
    }
    deployFailpoint("deploy.file.placed");
  }
}

async function placeFile(file: ZarfFile, source: string, context: FileContext): Promise<void> {
  const target = checkedTarget(file.target, context);
  const { isDirectory } = statSource(source, file);
  if (file.shasum !== "") checkSum(source, file);
  ensureDir(dirname(target.path));
  if (isDirectory) await placeDirectory(source, file, target, context);
  else await placeOne(source, file, target.path, context);
  for (const link of file.symlinks) placeLink(checkedTarget(link, context), target.path);
}

/** Looked at anew before each use: an earlier file or an action may have put a link there. */
function checkedTarget(path: string, context: FileContext): Target {
  const target = resolveTarget(path, context);
  if (target !== undefined && staysBelow(target)) return target;
  throw new DeployError({
    reason: "FilesRefused",
    message: `nothing may be put to ${JSON.stringify(path)}: it leads out of ` +
      (target?.root ?? "every directory that is open to packages"),
    kept: "nothing was put there",
    remedy: "remove the link on the way to it, or start the agent with another --files-root",
  });
}

function statSource(source: string, file: ZarfFile): Deno.FileInfo {
  try {
    return Deno.statSync(source);
  } catch (cause) {
    throw new DeployError({
      reason: "PackageBroken",
      message: `the file ${file.target} is not among the package's files`,
      remedy: "drop the package file again",
      cause,
    });
  }
}

function checkSum(source: string, file: ZarfFile): void {
  const hash = createHash("sha256");
  using input = Deno.openSync(source);
  for (const chunk of chunksOf(input)) hash.update(chunk);
  const found = hash.digest("hex");
  if (found === file.shasum) return;
  throw new DeployError({
    reason: "PackageBroken",
    message: `the file ${file.target} has the sha256 ${found}, the package says ${file.shasum}`,
    remedy: "build the package again",
  });
}

function* chunksOf(file: Deno.FsFile): Generator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK);
  for (let read = file.readSync(buffer); read !== null; read = file.readSync(buffer)) {
    yield buffer.subarray(0, read);
  }
}

async function placeDirectory(
  source: string,
  file: ZarfFile,
  target: Target,
  context: FileContext,
): Promise<void> {
  // As Zarf leaves it when the package is made (assemble.go: 0700).
  ensureDir(target.path);
  Deno.chmodSync(target.path, EXECUTABLE_MODE);
  await placeBelow(source, file, target, context);
}

async function placeBelow(
  source: string,
  file: ZarfFile,
  { path, root }: Target,
  context: FileContext,
): Promise<void> {
  for (const { name, isDirectory, isSymlink } of [...Deno.readDirSync(source)].sort(byName)) {
    const from = `${source}/${name}`;
    const at = checkedTarget(`${path}/${name}`, context);
    if (isSymlink) placeInnerLink(Deno.readLinkSync(from), at, root);
    else if (isDirectory) {
      ensureDir(at.path);
      await placeBelow(from, file, { path: at.path, root }, context);
    } else {
      await placeOne(from, file, at.path, context, Deno.statSync(from).mode ?? FILE_MODE);
    }
  }
}

function byName(a: Deno.DirEntry, b: Deno.DirEntry): number {
  return a.name < b.name ? -1 : 1;
}

/** A link that the package has in a directory; where it leads must be open to packages, too. */
function placeInnerLink(to: string, at: Target, root: string): void {
  const end = normalize(to.startsWith("/") ? to : `${dirname(at.path)}/${to}`);
  if (!isBelow(end, root)) {
    throw new DeployError({
      reason: "FilesRefused",
      message: `the link ${at.path} of the package leads to ${to}, out of ${root}`,
      kept: "the link was not made",
    });
  }
  if (existing(at.path)?.isSymlink) Deno.removeSync(at.path);
  Deno.symlinkSync(to, at.path);
  systemFs.fsyncDir(dirname(at.path));
}

function placeLink(at: Target, to: string): void {
  if (existing(at.path) !== undefined) Deno.removeSync(at.path, { recursive: true });
  ensureDir(dirname(at.path));
  Deno.symlinkSync(to, at.path);
  systemFs.fsyncDir(dirname(at.path));
}

function existing(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Writes one file beside its place and moves it there. */
async function placeOne(
  source: string,
  file: ZarfFile,
  path: string,
  context: FileContext,
  mode = modeOf(source, file),
): Promise<void> {
  const directory = dirname(path);
  removeUnfinished(directory, basename(path));
  const temporary = `${path}.${crypto.randomUUID().slice(0, 8)}.tmp`;
  try {
    await writeContent(source, temporary, file, context);
    Deno.chmodSync(temporary, mode & 0o777);
    systemFs.fsyncFile(temporary);
    deployFailpoint("deploy.file.written");
    systemFs.rename(temporary, path);
  } catch (error) {
    removeQuietly(temporary);
    throw error;
  }
  systemFs.fsyncDir(directory);
}

function modeOf(source: string, { executable }: ZarfFile): number {
  const wasExecutable = ((Deno.statSync(source).mode ?? 0) & 0o100) !== 0;
  return executable || wasExecutable ? EXECUTABLE_MODE : FILE_MODE;
}

async function writeContent(
  source: string,
  temporary: string,
  file: ZarfFile,
  context: FileContext,
): Promise<void> {
  using input = Deno.openSync(source);
  using output = Deno.openSync(temporary, { write: true, createNew: true, mode: FILE_MODE });
  if (isTextFile(source)) copyFilled(input, output, context.templates);
  else {
    for (const chunk of chunksOf(input)) {
      for (let rest = chunk; rest.length > 0;) rest = rest.subarray(output.writeSync(rest));
    }
  }
  if (!file.template) return;
  if (output.statSync().size > MAX_TEMPLATE) {
    throw new RangeError(`it is a Go template of more than ${MAX_TEMPLATE} bytes`);
  }
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  const text = decoder.decode(Deno.readFileSync(temporary));
  const [filled = ""] = await context.fillTemplates([{ name: `file "${file.target}"`, text }]);
  Deno.writeTextFileSync(temporary, filled);
}
