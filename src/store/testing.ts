import { type Digest, digestOf } from "../std/mod.ts";
import { exists, type StoreFs, systemStoreFs } from "./fs.ts";
import { Staging, type StagingOptions } from "./staging.ts";
import { Store } from "./store.ts";
import type { NewPackage } from "./types.ts";

/** Bytes of a text, for tests. */
export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** Runs `action` with a new directory that is removed afterwards. */
export async function withDirectory(
  action: (dir: string) => void | Promise<void>,
  parent?: string,
): Promise<void> {
  const below = parent === undefined ? {} : { dir: parent };
  const dir = await Deno.makeTempDir({ prefix: "holdfast-store-", ...below });
  try {
    await action(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** The same in memory, where the machine has it: for tests that make thousands of files. */
export async function withFastDirectory(
  action: (dir: string) => void | Promise<void>,
): Promise<void> {
  await withDirectory(action, exists(MEMORY) ? MEMORY : undefined);
}

const MEMORY = "/dev/shm";

/** Runs `action` with a new store that is closed and removed afterwards. */
export async function withStore(
  action: (store: Store) => void | Promise<void>,
  fs?: StoreFs,
): Promise<void> {
  await withDirectory(async (dir) => {
    using store = Store.open(dir, fs === undefined ? {} : { fs });
    await action(store);
  });
}

/** Blobs of these texts on their way into the store at `dir`. */
export function stageBlobs(
  dir: string,
  texts: readonly string[],
  options: StagingOptions = {},
): Staging {
  const staging = Staging.create(dir, "texts", options);
  for (const text of texts) {
    const writer = staging.blob(digestOf(text), bytesOf(text).length);
    writer?.write(bytesOf(text));
    writer?.close();
  }
  return staging;
}

/** Texts as a stream of chunks. */
export async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield await Promise.resolve(bytesOf(text));
}

/** Every file and link below `dir` with its content, by relative path. */
export function treeOf(dir: string, below = ""): Record<string, string> {
  const tree: Record<string, string> = {};
  for (const entry of Deno.readDirSync(`${dir}/${below}`)) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory) Object.assign(tree, treeOf(dir, path));
    else if (entry.isSymlink) tree[path] = `-> ${Deno.readLinkSync(`${dir}/${path}`)}`;
    else tree[path] = Deno.readTextFileSync(`${dir}/${path}`);
  }
  return tree;
}

/** The real file system with some calls replaced. */
export function fsWith(replaced: Partial<StoreFs>): StoreFs {
  return { ...systemStoreFs, ...replaced };
}

/** An error of the operating system, as Deno throws it. */
export function osError(code: string): Error {
  return Object.assign(new Error(`failed by the test: ${code}`), { code });
}

/** A package record with one image, whose manifest is `manifest`. */
export function packageWith(
  name: string,
  version: string,
  manifest: Digest = digestOf(`${name} ${version}`),
): NewPackage {
  const descriptor = {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: manifest,
    size: 5,
  };
  return {
    digest: digestOf(`package ${name} ${version}`),
    name,
    version,
    architecture: "amd64",
    kind: "ZarfPackageConfig",
    signature: "Unsigned",
    acceptedAt: "2026-01-02T03:04:05Z",
    fileName: `zarf-package-${name}-amd64-${version}.tar.zst`,
    bytes: 1234,
    images: [{
      reference: "docker.io/library/web:1",
      host: "docker.io",
      repository: "library/web",
      tag: "1",
      zarfTag: "1-zarf-42",
      descriptor,
    }],
    manifests: [descriptor],
    blobs: [{ digest: manifest, size: 5 }],
  };
}

/** The permission bits of a file. */
export function permissions(path: string): number {
  return (Deno.statSync(path).mode ?? 0) & 0o777;
}

/** The files below `dir` that this process has open, by relative path. */
export function openFiles(dir: string): string[] {
  return [...Deno.readDirSync("/proc/self/fd")].flatMap(({ name }) => {
    try {
      const path = Deno.readLinkSync(`/proc/self/fd/${name}`);
      return path.startsWith(dir) ? [path.slice(dir.length + 1)] : [];
    } catch {
      // The descriptor of the listing itself.
      return [];
    }
  });
}
