import assert from "node:assert/strict";
import { createRegistry, createRegistryMetrics, serveRegistry } from "../../src/registry/mod.ts";
import { digestHex, silentLogger } from "../../src/std/mod.ts";
import { Store } from "../../src/store/mod.ts";
import { checkRegistry } from "./check_registry.ts";
import { checkServed } from "./check_served.ts";
import type { Finding } from "./findings.ts";
import { blobAt, type Damage, findDamage, overwrite, ownLayer, type Scene } from "./scene.ts";

const REGISTRY = "registry/docker/registry/v2";

const REGISTRY_DAMAGE: readonly Damage[] = [
  { name: "nothing is wrong", damage: () => {}, rules: [] },
  {
    name: "an entry is empty",
    damage: (scene) => overwrite(entryOf(scene), ""),
    rules: ["EntryTorn"],
  },
  {
    name: "an entry has a newline",
    damage: (scene) => overwrite(entryOf(scene), `${Deno.readTextFileSync(entryOf(scene))}\n`),
    rules: ["EntryTorn"],
  },
  {
    name: "an entry is gone",
    damage: (scene) => Deno.removeSync(entryOf(scene)),
    rules: ["LinkLost"],
    names: ({ packages }) => `${packages[2].images[0]?.repository}@`,
  },
  {
    name: "the data of an entry is gone",
    damage: (scene) => Deno.removeSync(dataOf(scene)),
    rules: ["DataLost"],
  },
  {
    name: "the data of an entry is torn",
    damage: (scene) => overwrite(dataOf(scene), "torn"),
    rules: ["BlobDamaged"],
  },
];

/** A layer of an image of the last package, in its own repository alone. */
function linkedLayer(scene: Scene): { readonly repository: string; readonly hex: string } {
  const own = new Set(
    [...scene.packages[2].blobs].filter((blob) =>
      scene.packages.slice(0, 2).every(({ blobs }) => !blobs.has(blob))
    ),
  );
  const image = scene.packages[2].images[0] ?? assert.fail();
  const layer = image.blobs.find((blob) => own.has(blob)) ?? assert.fail();
  return { repository: image.repository, hex: digestHex(layer) };
}

function entryOf(scene: Scene): string {
  const { repository, hex } = linkedLayer(scene);
  return `${scene.dir}/${REGISTRY}/repositories/${repository}/_layers/sha256/${hex}/link`;
}

function dataOf(scene: Scene): string {
  const { hex } = linkedLayer(scene);
  return `${scene.dir}/${REGISTRY}/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
}

async function served({ dir, packages }: Scene): Promise<Finding[]> {
  using store = Store.open(dir);
  const metrics = createRegistryMetrics();
  const handler = createRegistry({ store, upstreams: [], logger: silentLogger, metrics });
  const server = serveRegistry(handler, { hostname: "127.0.0.1", port: 0 });
  try {
    return await checkServed(`http://127.0.0.1:${server.port}`, packages);
  } finally {
    await server.shutdown();
  }
}

Deno.test("a look at the registry's storage finds every kind of damage", (t) =>
  findDamage(
    t,
    REGISTRY_DAMAGE,
    ({ dir, packages }) => checkRegistry(`${dir}/registry`, packages),
  ));

Deno.test("an image of which nobody was told that it is linked may have no entries", (t) =>
  findDamage(t, [
    { name: "an entry is gone", damage: (scene) => Deno.removeSync(entryOf(scene)), rules: [] },
  ], ({ dir, packages }) => checkRegistry(`${dir}/registry`, packages.slice(0, 2))));

Deno.test("pulling everything finds what the node registry does not serve", (t) =>
  findDamage(t, [
    { name: "nothing is wrong", damage: () => {}, rules: [] },
    {
      name: "a layer is gone",
      damage: (scene) => Deno.removeSync(blobAt(scene, ownLayer(scene, scene.packages[2]))),
      rules: ["NotServed"],
      names: (scene) => `${linkedLayer(scene).hex}: 404`,
    },
  ], served));
