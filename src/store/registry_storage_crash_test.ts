import assert from "node:assert/strict";
import { digestHex, digestOf } from "../std/mod.ts";
import { REGISTRY_STORAGE_FAILPOINTS } from "./failpoints.ts";
import { Store } from "./store.ts";
import { chunks, packageWith, treeOf, withDirectory } from "./testing.ts";

const CHILD = new URL("./registry_storage_test_child.ts", import.meta.url).pathname;

/** Only root can give files away. */
const USER = Deno.uid() === 0 ? { uid: 1000, gid: 2000 } : { uid: Deno.uid(), gid: Deno.gid() };

/** Some of the passes of each place when one image with two layers goes in. */
const PASSES: Readonly<Record<typeof REGISTRY_STORAGE_FAILPOINTS[number], readonly number[]>> = {
  "store.registry.directory.made": [1, 2, 4, 6, 8, 10, 11],
  "store.registry.directory.synced": [1, 5, 9],
  "store.registry.link.made": [1, 2],
  "store.registry.linked": [1, 2],
  "store.registry.entry.written": [1, 3],
  "store.registry.entry.renamed": [1, 3],
  "store.registry.entry.synced": [1, 3],
  "store.registry.replacement.linked": [1],
  "store.registry.replaced": [1],
  "store.registry.replacement.synced": [1],
};

/** The blob of which the registry has a file of its own, and what is in it. */
const DAMAGED = { text: "first layer", is: "fIrst layer" };
const TEXTS = [DAMAGED.text, "second layer", "config"];

/** A store with one package, and nothing in the registry but the damaged blob. */
async function prepare(dir: string): Promise<void> {
  using store = Store.open(dir);
  for (const text of TEXTS) await store.blobs.write(digestOf(text), undefined, chunks(text));
  const [first, second, config] = TEXTS.map((text) => ({
    digest: digestOf(text),
    size: text.length,
  }));
  const manifest = JSON.stringify({ schemaVersion: 2, config, layers: [first, second] });
  const digest = digestOf(manifest);
  await store.blobs.write(digest, undefined, chunks(manifest));
  const blobs = [...TEXTS, manifest].map((text) => ({ digest: digestOf(text), size: text.length }));
  store.records.putPackage({ ...packageWith("web", "1.0.0", digest), blobs });
}

function resetRegistry(dir: string): void {
  const root = `${dir}/registry`;
  Deno.mkdirSync(root, { recursive: true });
  Deno.removeSync(root, { recursive: true });
  const hex = digestHex(digestOf(DAMAGED.text));
  const directory = `${root}/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}`;
  Deno.mkdirSync(directory, { recursive: true });
  Deno.writeTextFileSync(`${directory}/data`, DAMAGED.is);
}

async function handOver(dir: string, failpoint?: string): Promise<Deno.CommandStatus> {
  return await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", CHILD, dir, String(USER.uid), String(USER.gid)],
    env: failpoint === undefined ? {} : { HOLDFAST_FAILPOINT: failpoint },
    stdout: "null",
    stderr: "inherit",
  }).spawn().status;
}

/** distribution reads files of these names and no others. */
function assertWhole(root: string): void {
  for (const [path, content] of Object.entries(treeOf(root))) {
    const [, hex, name] = /([0-9a-f]{64})\/(data|link)$/.exec(path) ?? [];
    if (name === "link") assert.equal(content, `sha256:${hex}`, path);
    else if (name === "data" && content !== DAMAGED.is) {
      assert.equal(digestHex(digestOf(content)), hex, path);
    }
  }
}

function assertComplete(dir: string): void {
  const base = `${dir}/registry/docker/registry/v2`;
  for (const digest of TEXTS.map((text) => digestOf(text))) {
    const hex = digestHex(digest);
    const layer = `${base}/repositories/library/web/_layers/sha256/${hex}`;
    assert.equal(Deno.readTextFileSync(`${layer}/link`), digest);
    assert.deepEqual([...Deno.readDirSync(layer)].map((entry) => entry.name), ["link"]);
    const ours = Deno.statSync(`${dir}/blobs/sha256/${hex.slice(0, 2)}/${hex}`);
    const theirs = Deno.statSync(`${base}/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`);
    assert.equal(theirs.ino, ours.ino, "the store's file");
    assert.equal(theirs.nlink, 2, "no name is left over");
  }
}

/** What of `directory` the registry's user does not own, but for the store's blobs. */
function strangers(directory: string): string[] {
  return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }) => {
    const path = `${directory}/${name}`;
    const below = isDirectory ? strangers(path) : [];
    return name === "data" || Deno.lstatSync(path).uid === USER.uid ? below : [path, ...below];
  });
}

for (const name of REGISTRY_STORAGE_FAILPOINTS) {
  Deno.test(`killed at ${name}, what the registry has is whole, and the next run brings the rest`, () =>
    withDirectory(async (dir) => {
      await prepare(dir);
      for (const pass of PASSES[name]) {
        resetRegistry(dir);
        const killed = await handOver(dir, `${name}:${pass}`);
        assert.equal(killed.signal, "SIGKILL", `${name}:${pass} was not passed`);
        assertWhole(`${dir}/registry`);
        assert.equal((await handOver(dir)).code, 0);
        assertComplete(dir);
        assert.deepEqual(strangers(`${dir}/registry/docker/registry/v2/repositories`), []);
      }
    }));
}
