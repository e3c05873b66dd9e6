import { buildPackage, type PackageHooks, type PackageSpec } from "../fixtures/make_package.ts";
import type { TarEntrySpec } from "../fixtures/tar_writer.ts";
import type { PackageErrorReason } from "../../src/package/mod.ts";

/** A package file that is to be refused. */
export interface BadPackage {
  /** As a file name, without what the format adds. */
  readonly name: string;
  readonly format: "tar.zst" | "tar";
  readonly reason: PackageErrorReason;
  /** What the message must hold: the part that is wrong. */
  readonly part: string;
  /** Public key, PEM; the package is bad for whoever trusts only this one. */
  readonly key?: string;
  /** The file's bytes, made anew each time. */
  make(): Uint8Array;
}

/** Name, reason, part, and how a good package comes to be bad. */
export type BadSpec = readonly [
  name: string,
  reason: PackageErrorReason,
  part: string,
  spec: PackageSpec,
];

/** A bad package made by {@linkcode buildPackage}. */
export function badSpec([name, reason, part, spec]: BadSpec): BadPackage {
  const { format = "tar.zst" } = spec;
  return { name, format, reason, part, make: () => buildPackage(spec) };
}

/** A bad package of any bytes. */
export function badFile(
  name: string,
  reason: PackageErrorReason,
  part: string,
  make: () => Uint8Array,
  format: BadPackage["format"] = "tar.zst",
): BadPackage {
  return { name, format, reason, part, make };
}

/** Leaves out the entry of this name. */
export function drop(name: string): PackageHooks {
  return { entries: (all) => all.filter((entry) => entry.name !== name) };
}

/** Adds entries at the end, which nothing lists. */
export function add(...more: readonly TarEntrySpec[]): PackageHooks {
  return { entries: (all) => [...all, ...more] };
}

/** Changes the entry of this name after everything was hashed. */
export function change(name: string, to: Partial<TarEntrySpec>): PackageHooks {
  return { entries: (all) => all.map((one) => one.name === name ? { ...one, ...to } : one) };
}
