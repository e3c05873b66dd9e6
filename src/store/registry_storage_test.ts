import assert from "node:assert/strict";
import { type Digest, digestHex, digestOf } from "../std/mod.ts";
import { systemStoreFs } from "./fs.ts";
import { imageBlobs } from "./image_blobs.ts";
import { RegistryStorage } from "./registry_storage.ts";
import { Store } from "./store.ts";
import { permissions } from "./testing.ts";

const me = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
/** Only root can give files away. */
const registryUser = me.uid === 0 ? { uid: 1000, gid: 2000 } : me;

async function* once(text: string) {
  yield new TextEncoder().encode(text);
}

interface Bench {
  readonly store: Store;
  readonly root: string;
  put(text: string): Promise<{ digest: Digest; size: number }>;
  putJson(value: unknown): Promise<{ digest: Digest; size: number }>;
}

async function withStore(action: (bench: Bench) => Promise<void>) {
  const directory = await Deno.makeTempDir();
  const store = Store.open(`${directory}/data`);
  const put = async (text: string) => {
    const digest = digestOf(text);
    await store.blobs.write(digest, undefined, once(text));
    return { digest, size: new TextEncoder().encode(text).length };
  };
  const putJson = (value: unknown) => put(JSON.stringify(value));
  try {
    await action({ store, root: `${directory}/data/registry`, put, putJson });
  } finally {
    store.close();
    await Deno.remove(directory, { recursive: true });
  }
}

const data = (root: string, digest: Digest) => {
  const hex = digestHex(digest);
  return `${root}/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
};
const entry = (root: string, repository: string, digest: Digest) =>
  `${root}/docker/registry/v2/repositories/${repository}/_layers/sha256/${digestHex(digest)}/link`;

async function putImage({ put, putJson }: Bench, name: string) {
  const config = await put(`config of ${name}`);
  const layers = [await put("shared layer"), await put(`layer of ${name}`)];
  const manifest = await putJson({ schemaVersion: 2, config, layers });
  return { manifest, blobs: [...layers, config] };
}

Deno.test("configs and layers are linked, shown in their repository, and not the manifest", () =>
  withStore(async (bench) => {
    const { store, root } = bench;
    const { manifest, blobs } = await putImage(bench, "web");
    const storage = new RegistryStorage(root, store.blobs, me);
    const bytes = storage.link([{ repository: "library/web", digest: manifest.digest }]);
    assert.equal(bytes, blobs.reduce((sum, blob) => sum + blob.size, 0));
    for (const { digest } of blobs) {
      const linked = Deno.statSync(data(root, digest));
      assert.equal(linked.ino, Deno.statSync(store.blobs.path(digest)).ino, "one file, two names");
      assert.equal(linked.nlink, 2);
      // No newline: distribution takes the whole file for the digest.
      assert.equal(Deno.readTextFileSync(entry(root, "library/web", digest)), digest);
    }
    assert.throws(() => Deno.statSync(data(root, manifest.digest)), Deno.errors.NotFound);
  }));

Deno.test("a layer of several images is linked once and shown in each repository", () =>
  withStore(async (bench) => {
    const { store, root } = bench;
    const [web, db] = [await putImage(bench, "web"), await putImage(bench, "db")];
    const storage = new RegistryStorage(root, store.blobs, me);
    storage.link([
      { repository: "library/web", digest: web.manifest.digest },
      { repository: "other/db", digest: db.manifest.digest },
    ]);
    const shared = digestOf("shared layer");
    assert.equal(Deno.statSync(data(root, shared)).nlink, 2);
    assert.equal(Deno.readTextFileSync(entry(root, "library/web", shared)), shared);
    assert.equal(Deno.readTextFileSync(entry(root, "other/db", shared)), shared);
  }));

Deno.test("linking again changes nothing, also after the registry wrote the blob itself", () =>
  withStore(async (bench) => {
    const { store, root } = bench;
    const { manifest, blobs } = await putImage(bench, "web");
    const [first] = blobs;
    assert(first);
    const own = data(root, first.digest);
    Deno.mkdirSync(own.slice(0, own.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(own, "shared layer");
    const inode = Deno.statSync(own).ino;
    const storage = new RegistryStorage(root, store.blobs, me);
    const image = { repository: "library/web", digest: manifest.digest };
    storage.link([image]);
    storage.link([image]);
    assert.equal(Deno.statSync(own).ino, inode, "the registry's own file stays");
    assert.equal(Deno.readTextFileSync(entry(root, "library/web", first.digest)), first.digest);
  }));

Deno.test("the blobs of an index are those of its images; what is not here is left out", () =>
  withStore(async (bench) => {
    const { store, putJson } = bench;
    const [amd, arm] = [await putImage(bench, "amd"), await putImage(bench, "arm")];
    const absent = { digest: digestOf("absent"), size: 3 };
    const inner = await putJson({ manifests: [arm.manifest, absent] });
    const index = await putJson({ manifests: [amd.manifest, inner], layers: null });
    const expected = new Set([...amd.blobs, ...arm.blobs].map((blob) => blob.digest));
    assert.deepEqual(
      new Set(imageBlobs(store.blobs, index.digest).map((blob) => blob.digest)),
      expected,
    );
    const foreign = await putJson({ config: absent, layers: [absent, ...arm.blobs.slice(0, 1)] });
    assert.deepEqual(imageBlobs(store.blobs, foreign.digest), arm.blobs.slice(0, 1));
    assert.deepEqual(imageBlobs(store.blobs, digestOf("no such manifest")), []);
  }));

Deno.test("an index that holds itself in ever deeper ones comes to an end", () =>
  withStore(async ({ store, putJson, put }) => {
    const layer = await put("deep layer");
    let current = await putJson({ layers: [layer] });
    for (let depth = 0; depth < 10; depth++) {
      current = await putJson({ manifests: [current], depth });
    }
    assert.deepEqual(imageBlobs(store.blobs, current.digest), []);
  }));

Deno.test("an entry is written after its data is linked, and each is flushed before the next", () =>
  withStore(async (bench) => {
    const { store, root, put, putJson } = bench;
    const layer = await put("only layer");
    const manifest = await putJson({ layers: [layer] });
    const steps: string[] = [];
    const name = (path: string) => path.slice(path.lastIndexOf("/") + 1).replace(/\..*/, "");
    const storage = new RegistryStorage(root, store.blobs, me, {
      ...systemStoreFs,
      fsyncFile: (path) => {
        steps.push(`file ${name(path)}`);
        systemStoreFs.fsyncFile(path);
      },
      fsyncDir: (path) => {
        if (path.endsWith(digestHex(layer.digest))) {
          const kind = path.includes("/_layers/") ? "entry" : "data";
          const there = kind === "data" ? Deno.statSync(`${path}/data`).isFile : true;
          steps.push(`directory of ${kind} ${there}`);
        }
        systemStoreFs.fsyncDir(path);
      },
      rename: (from, to) => {
        steps.push(`rename ${name(to)}`);
        systemStoreFs.rename(from, to);
      },
    });
    storage.link([{ repository: "a", digest: manifest.digest }]);
    assert.deepEqual(steps, [
      "directory of data true",
      "file link",
      "rename link",
      "directory of entry true",
    ]);
  }));

Deno.test("where nothing can be linked the error is told and no entry is left", () =>
  withStore(async (bench) => {
    const { store, root } = bench;
    const { manifest, blobs } = await putImage(bench, "web");
    Deno.writeTextFileSync(root, "a file in the way");
    const storage = new RegistryStorage(root, store.blobs, me);
    assert.throws(() => storage.link([{ repository: "a", digest: manifest.digest }]));
    Deno.removeSync(root);
    for (const { digest } of blobs) {
      assert.throws(() => Deno.statSync(entry(root, "a", digest)), Deno.errors.NotFound);
    }
  }));

/** What a registry has of a blob by itself: a file of its own. */
function ownData(root: string, digest: Digest, text: string): string {
  const path = data(root, digest);
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
  Deno.writeTextFileSync(path, text);
  return path;
}

Deno.test("the registry's file of a blob is replaced by the store's, which its user can read", () =>
  withStore(async ({ store, root, put }) => {
    const { digest } = await put("good");
    const path = ownData(root, digest, "bad!");
    using reader = Deno.openSync(path);
    const storage = new RegistryStorage(root, store.blobs, me);
    assert.equal(storage.replace(digest), true);
    assert.equal(Deno.readTextFileSync(path), "good");
    assert.equal(Deno.statSync(path).ino, Deno.statSync(store.blobs.path(digest)).ino);
    assert.equal(permissions(path), 0o444);
    assert.deepEqual([...Deno.readDirSync(path.replace(/data$/, ""))].map(({ name }) => name), [
      "data",
    ]);
    const old = new Uint8Array(4);
    assert.equal(reader.readSync(old), 4);
    assert.equal(new TextDecoder().decode(old), "bad!", "who reads goes on with the old file");
  }));

Deno.test("nothing is replaced where there is nothing to replace, or nothing to replace it with", () =>
  withStore(async (bench) => {
    const { store, root, put } = bench;
    const { manifest, blobs: [layer] } = await putImage(bench, "web");
    assert(layer);
    const storage = new RegistryStorage(root, store.blobs, me);
    assert.equal(storage.replace(layer.digest), false, "the registry has none");
    assert.throws(() => Deno.statSync(root), Deno.errors.NotFound);
    storage.link([{ repository: "a", digest: manifest.digest }]);
    assert.equal(storage.replace(layer.digest), false, "the registry has the store's");
    const own = digestOf("only the registry's");
    ownData(root, own, "only the registry's");
    assert.equal(storage.replace(own), false, "the store has none");
    assert.equal(Deno.readTextFileSync(data(root, own)), "only the registry's");
    const { digest } = await put("");
    ownData(root, digest, "");
    assert.equal(storage.replace(digest), true, "an empty blob is one as well");
  }));

Deno.test("a replacement that fails leaves the registry what it had, and no second name", () =>
  withStore(async ({ store, root, put }) => {
    const { digest } = await put("good");
    const path = ownData(root, digest, "bad!");
    const storage = new RegistryStorage(root, store.blobs, me, {
      ...systemStoreFs,
      rename: () => {
        throw new Error("the disk is gone");
      },
    });
    assert.throws(() => storage.replace(digest), /the disk is gone/);
    assert.equal(Deno.readTextFileSync(path), "bad!");
    assert.equal(Deno.statSync(store.blobs.path(digest)).nlink, 1);
  }));

Deno.test("a replacement is flushed after it has its name", () =>
  withStore(async ({ store, root, put }) => {
    const { digest } = await put("good");
    const path = ownData(root, digest, "bad!");
    const steps: string[] = [];
    const storage = new RegistryStorage(root, store.blobs, me, {
      ...systemStoreFs,
      rename: (from, to) => {
        steps.push("rename");
        assert.equal(to, path);
        assert.equal(Deno.readTextFileSync(from), "good");
        systemStoreFs.rename(from, to);
      },
      fsyncDir: (directory) => {
        steps.push(`flush, then ${Deno.readTextFileSync(`${directory}/data`)}`);
      },
    });
    storage.replace(digest);
    assert.deepEqual(steps, ["rename", "flush, then good"]);
  }));

Deno.test({
  name: "an entry that a kill left to the agent's user is given to the registry's by the next run",
  ignore: me.uid !== 0,
  fn: () =>
    withStore(async (bench) => {
      const { store, root } = bench;
      const { manifest, blobs } = await putImage(bench, "web");
      const image = { repository: "library/web", digest: manifest.digest };
      const [first] = blobs;
      assert(first);
      new RegistryStorage(root, store.blobs, me).link([image]);
      const link = entry(root, "library/web", first.digest);
      Deno.chmodSync(link, 0o600);
      new RegistryStorage(root, store.blobs, registryUser).link([image]);
      assert.equal(Deno.statSync(link).uid, registryUser.uid);
      assert.equal(Deno.statSync(store.dir).uid, me.uid, "what is not the registry's is left");
    }),
});
