import assert from "node:assert/strict";
import { REGISTRY_GID, REGISTRY_UID } from "../../../src/bootstrap/mod.ts";
import { imagesToPush } from "../../../src/deploy/mod.ts";
import { type Digest, digestHex, ensureDir } from "../../../src/std/mod.ts";
import { blobSource, RegistryStorage, Store } from "../../../src/store/mod.ts";
import { type PushImage, pushImages, type PushResult } from "../../../src/zarf/mod.ts";
import { takeIn } from "../../fixtures/take_in.ts";
import { PACKAGES, ROOT } from "./agent.ts";
import type { RealRegistry } from "./real_registry.ts";
import { contentOf } from "./registry_content.ts";

const CHILD = `${ROOT}/src/store/registry_storage_test_child.ts`;
const USER = { uid: REGISTRY_UID, gid: REGISTRY_GID };

/** Real packages, without `zarf-package-`. */
export const PACKAGE_FILES = {
  /** Docker's and OCI's manifests, an index by digest, layers that images share. */
  CHART: "app-chart-amd64-1.2.3.tar.zst",
  SMALL: "app-small-amd64-0.0.1.tar.zst",
  HELLO: "hello-amd64-0.1.0.tar.zst",
  TEST: "test-uncompressed-amd64-0.0.1.tar",
} as const;

/** A store with packages in it, and the storage of a registry. */
export class StorageScene implements AsyncDisposable {
  #store: Store;
  /** Holds everything but a storage that lies elsewhere. */
  readonly directory: string;
  /** The registry's storage. */
  readonly root: string;
  #storage: RegistryStorage;

  /** @param outside the registry's storage, if it is not in the data directory. */
  private constructor(directory: string, outside?: string) {
    this.directory = directory;
    this.#store = Store.open(`${directory}/data`);
    this.root = outside ?? `${this.#store.dir}/registry`;
    ensureDir(this.root);
    Deno.chownSync(this.root, USER.uid, USER.gid);
    this.#storage = new RegistryStorage(this.root, this.#store.blobs, USER);
  }

  /**
   * Takes packages into a new store.
   *
   * @param outside as for the storage; it exists.
   */
  static async with(packages: readonly string[], outside?: string): Promise<StorageScene> {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-storage-" });
    // The registry's user must get to its directory; in the pod it is mounted.
    Deno.chmodSync(directory, 0o755);
    const scene = new StorageScene(directory, outside);
    try {
      const drop = `${directory}/drop`;
      Deno.mkdirSync(drop);
      for (const name of packages) {
        Deno.copyFileSync(`${PACKAGES}/zarf-package-${name}`, `${drop}/zarf-package-${name}`);
      }
      await takeIn(scene.store, drop, packages.length);
    } catch (error) {
      await scene[Symbol.asyncDispose]();
      throw error;
    }
    return scene;
  }

  get store(): Store {
    return this.#store;
  }

  get storage(): RegistryStorage {
    return this.#storage;
  }

  /**
   * Links every image and replaces every blob in a process of its own that is killed at `failpoint`.
   */
  async killedAt(failpoint: string): Promise<void> {
    this.#store.close();
    try {
      const { signal } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", CHILD, this.#store.dir, `${USER.uid}`, `${USER.gid}`],
        env: { HOLDFAST_FAILPOINT: failpoint },
        stdout: "null",
      }).spawn().status;
      assert.equal(signal, "SIGKILL", `${failpoint} was not passed`);
    } finally {
      this.#store = Store.open(this.#store.dir);
      this.#storage = new RegistryStorage(this.root, this.#store.blobs, USER);
    }
  }

  /** What the agent would push of one package, or of all. */
  images(packageName?: string): PushImage[] {
    return this.store.records.listPackages()
      .filter(({ name }) => packageName === undefined || name === packageName)
      .flatMap(({ digest }) => imagesToPush(this.store.records.images(digest)));
  }

  /** What a registry that has `images` holds. */
  content(images: readonly PushImage[]) {
    return contentOf(images, (digest) => this.#read(digest));
  }

  #read(digest: Digest): Uint8Array {
    return this.store.blobs.read(digest, 1 << 20) ?? assert.fail(`${digest} is not in the store`);
  }

  /** Pushes as the agent does. */
  push(registry: RealRegistry, images: readonly PushImage[]): Promise<PushResult> {
    return pushImages(images, {
      source: blobSource(this.store.blobs),
      registryUrl: registry.url,
      credentials: registry.credentials,
    });
  }

  /** The configs and layers of `images`. */
  blobs(images: readonly PushImage[]): Digest[] {
    const blobs = Object.values(this.content(images)).flatMap((one) => Object.keys(one.blobs));
    return [...new Set(blobs)] as Digest[];
  }

  /** Where the registry has a blob. */
  data(digest: Digest): string {
    const hex = digestHex(digest);
    return `${this.root}/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#store.close();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Everything below a directory that a change of any kind would change. */
export function snapshot(directory: string, below = ""): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { name, isDirectory } of Deno.readDirSync(`${directory}/${below}`)) {
    const path = `${below}/${name}`;
    const { ino, uid, gid, mode, nlink, mtime, size } = Deno.lstatSync(`${directory}${path}`);
    found[path] = [ino, uid, gid, mode, nlink, mtime?.getTime(), isDirectory || size].join(" ");
    if (isDirectory) Object.assign(found, snapshot(directory, path));
  }
  return found;
}
