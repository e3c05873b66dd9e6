import { digestHex, digestOf } from "../std/mod.ts";
import type { Store } from "./store.ts";
import { permissions, treeOf } from "./testing.ts";
import {
  blobPath,
  blobTree,
  entryOf,
  packageTree,
  type TestPackage,
  testPackage,
} from "./testing_packages.ts";

/** They share blobs; two are of one name. */
export const PACKAGES: readonly TestPackage[] = [
  testPackage("web", "1.0.0", ["web 1", "base layer", "web layer 1"], ["zarf.yaml", "sums.txt"]),
  testPackage("web", "1.1.0", ["web 1.1", "base layer", "web layer 2"], ["zarf.yaml"]),
  testPackage("db", "7", ["db", "base layer", "db layer".repeat(200)], ["zarf.yaml", "charts/a/b"]),
  testPackage("tiny", "", ["tiny"], ["zarf.yaml"]),
];
/** Blobs that come one by one: two are of packages too. */
export const LOOSE: readonly string[] = ["base layer", "web layer 2", "alone", "", "alone too"];
/** The content of every blob that there may be. */
export const ALL_BLOBS: ReadonlySet<string> = new Set([
  ...PACKAGES.flatMap(({ blobs }) => blobs),
  ...LOOSE,
]);

const TOP_LEVEL =
  /^(?:blobs|packages|tmp|quarantine|ledger\.json|holdfast\.(?:db|db-wal|db-shm|lock))$/;

/** What a store has acknowledged, and so must have after any number of power cuts. */
export class Acknowledged {
  readonly #recorded = new Set<TestPackage>();
  /** Their record may be there. */
  readonly #begun = new Set<TestPackage>();
  /** They may be superseded. */
  readonly #superseded = new Set<TestPackage>();
  readonly #here = new Set<string>();
  readonly #gone = new Set<string>();
  /** Blobs that were moved aside, or may have been, also from packages. */
  readonly #aside = new Set<string>();

  /** Runs what takes a package in and notes it when that returns. */
  adding(added: TestPackage, action: () => void): void {
    this.writing(added.blobs);
    this.#begun.add(added);
    action();
    this.written(added.blobs);
    this.#recorded.add(added);
    this.#superseded.delete(added);
  }

  /** From here on the blobs may be there. */
  writing(texts: readonly string[]): void {
    for (const text of texts) this.#gone.delete(text);
  }

  /** From here on they are. */
  written(texts: readonly string[]): void {
    for (const text of texts) {
      this.#here.add(text);
      this.#aside.delete(text);
    }
  }

  /** From here on the blob may have been moved aside. */
  quarantining(text: string): void {
    this.#here.delete(text);
    this.#aside.add(text);
  }

  /** From here on it is. */
  quarantined(text: string): void {
    this.#gone.add(text);
  }

  /** From here on the package may be superseded. */
  superseding(added: TestPackage): void {
    this.#superseded.add(added);
  }

  /** From here on what no package needs may be removed. */
  collecting(): void {
    const needed = new Set(
      [...this.#recorded].filter((added) => !this.#superseded.has(added))
        .flatMap(({ blobs }) => blobs),
    );
    for (const text of this.#here) if (!needed.has(text)) this.#here.delete(text);
  }

  /** What a store that was just opened has lost, or has and should not. */
  losses(store: Store): string[] {
    return [
      ...this.#blobLosses(store),
      ...PACKAGES.flatMap((added) => [...this.#packageLosses(store, added)]),
      ...this.#ledgerLosses(store),
      ...names(`${store.dir}/tmp`).map((name) => `tmp/${name} is left`),
      ...names(store.dir).filter((name) => !TOP_LEVEL.test(name)).map((name) => `${name} is left`),
      ...store.blobs.quarantined === 0 ? [] : ["a blob was moved aside at the start"],
    ];
  }

  *#blobLosses(store: Store): Generator<string> {
    const found = treeOf(`${store.dir}/blobs`);
    const possible = blobTree(ALL_BLOBS);
    for (const [path, content] of Object.entries(found)) {
      if (possible[path] !== content) yield `blob ${path} has other bytes`;
      const mode = permissions(`${store.dir}/blobs/${path}`);
      if (mode !== 0o444) yield `blob ${path} has the mode ${mode.toString(8)}`;
    }
    for (const text of this.#here) {
      if (!(blobPath(digestOf(text)) in found)) yield `blob "${text}" is lost`;
    }
    for (const text of this.#gone) {
      if (blobPath(digestOf(text)) in found) yield `blob "${text}" is there again`;
    }
  }

  *#packageLosses(store: Store, added: TestPackage): Generator<string> {
    const { digest, name } = added.record;
    const state = store.records.getPackage(digest)?.state;
    const directory = store.packagePath(digest);
    const files = names(`${store.dir}/packages`).includes(digestHex(digest));
    if (files && jsonOf(treeOf(directory)) !== jsonOf(packageTree(added))) {
      yield `the files of ${name} are not whole: ${jsonOf(treeOf(directory))}`;
    }
    if (this.#recorded.has(added) && state === undefined) yield `the record of ${name} is lost`;
    if (state === undefined) return;
    if (!this.#begun.has(added)) yield `there is a record of ${name}, which never came`;
    if (state === "superseded") {
      if (!this.#superseded.has(added)) yield `${name} is superseded by nothing`;
      return;
    }
    if (!files) yield `${name} has a record and no files`;
    for (const blob of added.blobs) {
      const isHere = store.blobs.stat(digestOf(blob))?.size === blob.length;
      if (!isHere && !this.#aside.has(blob)) yield `${name} has a record and no "${blob}"`;
    }
  }

  *#ledgerLosses(store: Store): Generator<string> {
    const entries = store.ledger.entries().map(({ digest }) => digest);
    for (const added of this.#recorded) {
      const { name, digest } = entryOf(added);
      if (!entries.includes(digest)) yield `the ledger has lost ${name} ${digest}`;
    }
    if (entries.length === 0) return;
    const copy: { entries: { digest: string }[] } = JSON.parse(
      Deno.readTextFileSync(`${store.dir}/ledger.json`),
    );
    const copied = copy.entries.map(({ digest }) => digest);
    if (jsonOf(copied) !== jsonOf(entries)) yield `the copy of the ledger has ${jsonOf(copied)}`;
  }
}

/** Everything that counts of a store, in a form in which two of them can be compared. */
export function stateOf(store: Store): string {
  const { records } = store;
  return jsonOf({
    blobs: treeOf(`${store.dir}/blobs`),
    packages: treeOf(`${store.dir}/packages`),
    ledger: store.ledger.entries().map(({ digest }) => digest).sort(),
    records: Object.fromEntries(
      records.listPackages().map(({ sequence: _, ...record }) => [
        record.digest,
        { record, images: records.images(record.digest), owned: ownedBy(store, record.digest) },
      ]),
    ),
  });
}

function ownedBy(store: Store, owner: string): string[] {
  return [...ALL_BLOBS].filter((blob) => store.records.blobOwners(digestOf(blob)).includes(owner));
}

/** With the keys of objects in order. */
function jsonOf(value: object): string {
  return JSON.stringify(
    value,
    (_key, part) =>
      part !== null && typeof part === "object" && !Array.isArray(part)
        ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => a < b ? -1 : 1))
        : part,
  );
}

function names(directory: string): string[] {
  return [...Deno.readDirSync(directory)].map(({ name }) => name);
}
