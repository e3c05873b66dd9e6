import assert from "node:assert/strict";
import { type Digest, digestHex, digestOf } from "../std/mod.ts";
import { systemStoreFs } from "./fs.ts";
import { imageBlobs } from "./image_blobs.ts";
import { RegistryStorage } from "./registry_storage.ts";
import { Store } from "./store.ts";

const me = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };

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
