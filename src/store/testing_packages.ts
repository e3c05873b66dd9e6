import { type Digest, digestHex, digestOf } from "../std/mod.ts";
import type { LedgerEntry } from "./ledger.ts";
import type { Staging, StagingOptions } from "./staging.ts";
import type { Store } from "./store.ts";
import { bytesOf, packageWith, stageBlobs } from "./testing.ts";
import type { NewPackage } from "./types.ts";

/** A small package for tests. */
export interface TestPackage {
  readonly record: NewPackage;
  /** The content of its blobs, in ASCII. */
  readonly blobs: readonly string[];
  /** Files that are no blobs; each has its path as content. */
  readonly files: readonly string[];
}

/** A package of these blobs, the first of which is its image's manifest, and these files. */
export function testPackage(
  name: string,
  version: string,
  blobs: readonly string[],
  files: readonly string[],
): TestPackage {
  const record = packageWith(name, version, digestOf(blobs[0] ?? ""));
  const references = blobs.map((text) => ({ digest: digestOf(text), size: text.length }));
  return { record: { ...record, blobs: references }, blobs, files };
}

/** Puts everything of a package into a new staging. */
export function stagePackage(dir: string, added: TestPackage, options?: StagingOptions): Staging {
  const staging = stageBlobs(dir, added.blobs, options);
  for (const path of added.files) {
    const writer = staging.file(path, path.length, 0o644);
    writer.write(bytesOf(path));
    writer.close();
  }
  return staging;
}

/** Takes a signed package in, as the drop watcher and its worker do together. */
export function importPackage(store: Store, added: TestPackage, options?: StagingOptions): void {
  stagePackage(store.dir, added, options).commit(added.record.digest);
  store.ledger.note(entryOf(added));
  store.records.putPackage(added.record);
}

/** A package's line in the ledger. */
export function entryOf({ record: { name, version, digest } }: TestPackage): LedgerEntry {
  return { name, version, digest };
}

/** Where a blob lies, below `blobs/`. */
export function blobPath(digest: Digest): string {
  const hex = digestHex(digest);
  return `sha256/${hex.slice(0, 2)}/${hex}`;
}

/** What `treeOf` gives of `blobs/` when these are there. */
export function blobTree(texts: Iterable<string>): Record<string, string> {
  return Object.fromEntries([...texts].map((text) => [blobPath(digestOf(text)), text]));
}

/** What `treeOf` gives of a package's directory. */
export function packageTree(added: TestPackage): Record<string, string> {
  return Object.fromEntries(added.files.map((path) => [path, path]));
}
