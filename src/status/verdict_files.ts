import {
  describeError,
  digestHex,
  digestOf,
  dirname,
  type DurableFs,
  ensureDir,
  type Logger,
  osErrorCode,
  removeUnfinished,
  systemFs,
  writeFileAtomic,
} from "../std/mod.ts";
import { packageStatus, sameVerdict, type Verdict } from "./verdict.ts";

/** What a verdict's file name ends with. */
export const VERDICT_SUFFIX = ".status.json";
/** Hex digits that tell files of one name in two folders apart. */
const PATH_DIGITS = 8;
/** Failures to write beside a file that say "not here" rather than "not now". */
const NOT_HERE = new Set(["EROFS", "EACCES", "EPERM", "ENOENT"]);

/**
 * Writes verdicts: beside the dropped file, and always under the data directory, where they are
 * found when the medium cannot be written or was pulled. Each is replaced whole, durably; a verdict
 * that says what is written already costs nothing, and one that could not be written (a full disk) is
 * written the next time that it is said.
 */
export class VerdictFiles {
  readonly #directory: string;
  readonly #logger: Logger;
  readonly #now: () => Date;
  readonly #fs: DurableFs;
  readonly #last = new Map<string, Verdict>();
  readonly #unwritable = new Set<string>();
  readonly #swept = new Set<string>();
  /** The file that has each name under the data directory. */
  readonly #kept = new Map<string, string>();

  constructor(
    dataDir: string,
    logger: Logger,
    now: () => Date = () => new Date(),
    fs: DurableFs = systemFs,
  ) {
    this.#directory = `${dataDir}/status`;
    this.#logger = logger;
    this.#now = now;
    this.#fs = fs;
  }

  /** Makes both files say `verdict`. Failures are logged: a verdict must not stop the work. */
  write(verdict: Verdict): void {
    const { file } = verdict;
    if (sameVerdict(this.#last.get(file), verdict)) return;
    const text = JSON.stringify(packageStatus(verdict, this.#now()), null, 2) + "\n";
    const beside = this.#beside(file, text);
    const under = this.#under(file, text);
    if (beside && under) this.#last.set(file, verdict);
    else this.#last.delete(file);
  }

  /** Forgets a file that is gone, so that a later one of its name is written anew. */
  forget(file: string): void {
    this.#last.delete(file);
  }

  /** Whether it is written, or cannot be for as long as things are as they are. */
  #beside(file: string, text: string): boolean {
    const directory = dirname(file);
    this.#sweep(directory);
    try {
      writeFileAtomic(file + VERDICT_SUFFIX, text, {
        fs: this.#fs,
        name: "status.verdict",
      });
      this.#unwritable.delete(directory);
      return true;
    } catch (error) {
      const notHere = NOT_HERE.has(osErrorCode(error) ?? "") || isNotHere(error);
      if (this.#unwritable.has(directory)) return notHere;
      this.#unwritable.add(directory);
      this.#logger.warn(
        notHere
          ? "the drop directory cannot be written; verdicts are under the data directory only"
          : `a verdict could not be written beside its file: ${describeError(error)}`,
        { directory },
      );
      return notHere;
    }
  }

  /** Before the first verdict in a directory: what a killed run left of one goes away. */
  #sweep(directory: string): void {
    if (this.#swept.has(directory)) return;
    this.#swept.add(directory);
    removeUnfinished(directory, VERDICT_SUFFIX, this.#fs);
  }

  /** The file's own name; with a digest of its path behind it where another file has that. */
  #keptName(file: string): string {
    const name = file.slice(file.lastIndexOf("/") + 1);
    const owner = this.#kept.get(name) ?? file;
    this.#kept.set(name, owner);
    return owner === file ? name : `${name}.${digestHex(digestOf(file)).slice(0, PATH_DIGITS)}`;
  }

  /** Whether it is written. */
  #under(file: string, text: string): boolean {
    this.#sweep(this.#directory);
    try {
      ensureDir(this.#directory, this.#fs);
      writeFileAtomic(`${this.#directory}/${this.#keptName(file)}${VERDICT_SUFFIX}`, text, {
        fs: this.#fs,
        name: "status.kept",
      });
      this.#unwritable.delete(this.#directory);
      return true;
    } catch (error) {
      if (this.#unwritable.has(this.#directory)) return false;
      this.#unwritable.add(this.#directory);
      this.#logger.error(`a verdict could not be kept: ${describeError(error)}`, { file });
      return false;
    }
  }
}

function isNotHere(error: unknown): boolean {
  return error instanceof Deno.errors.PermissionDenied ||
    error instanceof Deno.errors.NotCapable || error instanceof Deno.errors.NotFound;
}
