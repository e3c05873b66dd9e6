import type { Budget } from "./budget.ts";
import { packageError } from "./errors.ts";

/** Control characters, and what Zarf refuses because one of its systems cannot store it. */
// deno-lint-ignore no-control-regex
const FORBIDDEN = /[\x00-\x1f\x7f\\:]/;

/** Bytes of one part of a name (Linux: NAME_MAX). */
const MAX_PART = 255;
/** Parts of a name: each is a directory to be made, and to be walked through for each of the others. */
const MAX_PARTS = 100;

/** How many bytes the text has in UTF-8. */
export function utf8Length(text: string): number {
  return encoder.encode(text).length;
}

const encoder = new TextEncoder();

/**
 * The normal form of a name in a tar: relative, without `.`, `..`, empty parts and a slash at the end.
 * Empty for the archive's own root. The rules are those of Zarf's extraction (Zarf 0.84,
 * src/pkg/archive: no backslash, no colon, no part that ends in a dot or a space) without the device
 * names of Windows.
 *
 * @param label How messages name the archive.
 * @throws {PackageError} UnsafePath.
 */
export function safePath(label: string, name: string): string {
  const refuse = (why: string) =>
    packageError("UnsafePath", `${label}: the name ${JSON.stringify(name)} ${why}`);
  if (FORBIDDEN.test(name)) throw refuse("has a character that is not allowed");
  if (name.startsWith("/")) throw refuse("is absolute");
  const trimmed = name.replace(/^(\.\/)+/, "").replace(/\/$/, "");
  if (trimmed === "" || trimmed === ".") return "";
  const parts = trimmed.split("/");
  if (parts.length > MAX_PARTS) throw refuse(`has more than ${MAX_PARTS} parts`);
  for (const part of parts) {
    if (part === "..") throw refuse("leaves the package");
    if (part === "" || part === ".") throw refuse("is not in its normal form");
    if (/[. ]$/.test(part)) throw refuse("has a part that ends in a dot or a space");
    if (utf8Length(part) > MAX_PART) throw refuse(`has a part of more than ${MAX_PART} bytes`);
  }
  return trimmed;
}

/**
 * Checks that a link's target stays below the link's own root, whatever other links there are: the
 * target may climb only at its beginning, where every directory above it is known to be a real one.
 *
 * @param label How messages name the archive.
 * @param path The link, in its normal form, below the root.
 * @throws {PackageError} UnsafePath.
 */
export function checkLinkTarget(label: string, path: string, target: string): void {
  const refuse = (why: string) =>
    packageError(
      "UnsafePath",
      `${label}: the link ${JSON.stringify(path)} to ${JSON.stringify(target)} ${why}`,
    );
  if (target === "" || FORBIDDEN.test(target)) throw refuse("has an impossible target");
  if (target.startsWith("/")) throw refuse("is absolute");
  let depth = path.split("/").length - 1;
  let descended = false;
  for (const part of target.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") {
      descended = true;
      continue;
    }
    if (descended) throw refuse("climbs after it has gone down");
    if (--depth < 0) throw refuse("leaves its component");
  }
}

type Kind = "file" | "directory" | "implied directory" | "link";

/**
 * The names of one archive. Refuses a name that is there twice, and one that lies below something
 * that is not a directory: no file is ever written through a link.
 */
export class NameRegister {
  readonly #label: string;
  readonly #budget: Budget;
  readonly #names = new Map<string, Kind>();

  /**
   * @param label How messages name the archive.
   * @param budget Counts the directories that names imply: one name of 1000 bytes can stand for 500.
   */
  constructor(label: string, budget: Budget) {
    this.#label = label;
    this.#budget = budget;
  }

  /** @throws {PackageError} DuplicateEntry, UnsafePath or LimitExceeded. */
  add(path: string, kind: Exclude<Kind, "implied directory">): void {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      this.#addParent(path, path.slice(0, slash));
    }
    const known = this.#names.get(path);
    if (known !== undefined && !(known === "implied directory" && kind === "directory")) {
      throw packageError(
        "DuplicateEntry",
        `${this.#label}: ${JSON.stringify(path)} is there twice`,
      );
    }
    this.#names.set(path, kind);
  }

  #addParent(path: string, parent: string): void {
    const kind = this.#names.get(parent);
    if (kind === undefined) {
      this.#budget.addEntry(parent);
      this.#names.set(parent, "implied directory");
    } else if (kind === "file" || kind === "link") {
      throw packageError(
        "UnsafePath",
        `${this.#label}: ${JSON.stringify(path)} lies below ${JSON.stringify(parent)}, a ${kind}`,
      );
    }
  }
}
