import assert from "node:assert/strict";
import { load } from "js-yaml";
import * as v from "valibot";
import { type ImageSpec, writeOciLayout } from "../../extension/build/oci_image.ts";
import { tar } from "../../extension/build/tar.ts";
import { exec } from "../../src/std/mod.ts";
import { obstacle } from "../cluster/mod.ts";
import { zarf, zarfImages } from "../e2e/support/zarf.ts";
import { withDirectory } from "../fakes/testing.ts";
import { sandboxImage, talosImages, talosImageSpecs } from "./image_specs.ts";
import { talosImagesPackage } from "./images.ts";

/** What the package may hold, in bytes; with a layer of its own for each component it would be more. */
const MAX_PACKAGE = 80_000_000;
const EXAMPLE = new URL("../../examples/talos-images/", import.meta.url).pathname;
const RUN_TIMEOUT = 30_000;

/** What each image's programs say of themselves, by a part of the image's name. */
const PROGRAMS: readonly (readonly [string, readonly string[], RegExp])[] = [
  ["/etcd:", ["/usr/local/bin/etcd", "--version"], /^etcd Version: 3\./],
  ["/kubelet:", ["/usr/local/bin/kubelet", "--version"], /^Kubernetes v1\./],
  ["/kubelet:", ["mount", "--version"], /^mount from util-linux/],
  ["/kubelet:", ["umount", "--version"], /^umount from util-linux/],
  ["/kube-apiserver:", ["/usr/local/bin/kube-apiserver", "--version"], /^Kubernetes v1\./],
  ["/kube-controller-manager:", ["kube-controller-manager", "--version"], /^Kubernetes v1\./],
  ["/kube-scheduler:", ["/usr/local/bin/kube-scheduler", "--version"], /^Kubernetes v1\./],
  ["/kube-proxy:", ["/usr/local/bin/kube-proxy", "--version"], /^Kubernetes v1\./],
  ["/kube-proxy:", ["nft", "--version"], /^nftables v/],
];

function specOf(specs: readonly ImageSpec[], part: string): ImageSpec {
  return specs.find(({ references }) => references[0]?.includes(part)) ?? assert.fail(part);
}

Deno.test("there is an image for every name of Talos' list, and for the tests' sandboxes", async () => {
  const { images } = await talosImages();
  const names = (await talosImageSpecs()).flatMap(({ references }) => references);
  const expected = new Set([...Object.values(images), await sandboxImage()]);
  assert.deepEqual(names.toSorted(), [...expected].sort());
  for (const name of names) assert.match(name, /^[a-z.0-9]+\/[a-z/-]+:v?\d+\.\d+\.\d+$/);
});

Deno.test({
  name: "the programs start in their images with nothing else of this machine",
  // chroot
  ignore: obstacle() !== undefined,
  fn: async () => {
    const specs = await talosImageSpecs();
    for (const part of new Set(PROGRAMS.map(([part]) => part))) {
      await withDirectory(async (dir) => {
        const { entries, layersAbove = [], config } = specOf(specs, part);
        await unpack(dir, [entries, ...layersAbove]);
        for (const [of, command, says] of PROGRAMS) {
          if (of !== part) continue;
          const env = Object.fromEntries((config?.env ?? []).map((line) => line.split("=")));
          const args = [dir, ...command];
          const ran = await exec("chroot", { args, env, timeout: RUN_TIMEOUT });
          assert.equal(ran.code, 0, `${command}: ${ran.stderr}`);
          assert.match(ran.stdout, says);
        }
      });
    }
  },
});

async function unpack(dir: string, layers: readonly ImageSpec["entries"][]): Promise<void> {
  for (const entries of layers) {
    await Deno.writeFile(`${dir}/layer.tar`, ReadableStream.from(tar(entries)));
    const args = ["-xf", `${dir}/layer.tar`, "-C", dir];
    assert.equal((await exec("tar", { args, env: {}, timeout: RUN_TIMEOUT })).code, 0);
    await Deno.remove(`${dir}/layer.tar`);
  }
}

Deno.test("the images of Kubernetes share the layer with its program", () =>
  withDirectory(async (dir) => {
    const specs = await talosImageSpecs();
    const written = await writeOciLayout(dir, specs);
    const lowest = specs.flatMap(({ references: [name = ""] }, at) =>
      /\/kube(let|-(apiserver|controller-manager|scheduler|proxy)):/.test(name)
        ? [written[at]?.layer.digest]
        : []
    );
    assert.equal(lowest.length, 5);
    assert.equal(new Set(lowest).size, 1);
  }));

Deno.test("the real zarf makes a small package of them, once", async () => {
  const file = await talosImagesPackage();
  assert(Deno.statSync(file).size < MAX_PACKAGE, file);
  const names = (await talosImageSpecs()).flatMap(({ references }) => references);
  assert.deepEqual((await zarfImages(file)).toSorted(), names.toSorted());
  const before = Deno.statSync(file).mtime;
  assert.equal(await talosImagesPackage(), file);
  assert.deepEqual(Deno.statSync(file).mtime, before);
});

const Definition = v.object({
  metadata: v.object({ description: v.string(), version: v.string() }),
  components: v.array(v.object({ required: v.literal(true), images: v.array(v.string()) })),
});

Deno.test("the example has every image of Talos' list, and no other", async () => {
  const text = await Deno.readTextFile(`${EXAMPLE}zarf.yaml`);
  const { metadata, components } = v.parse(Definition, load(text));
  const { talos, images } = await talosImages();
  const named = components.flatMap(({ images }) => images);
  assert.deepEqual(named.toSorted(), Object.values(images).sort());
  assert.equal(`v${metadata.version}`, talos);
  const [, kubernetes] = /:v(.+)$/.exec(images.kubelet) ?? [];
  const versions = `Talos ${metadata.version} and its Kubernetes ${kubernetes}`;
  assert.equal(metadata.description, `Images of ${versions}`);
  assert(text.startsWith(`# What ${versions} start from`));
});

Deno.test("the real zarf takes the example's definition", async () => {
  const { ok, text } = await zarf(["dev", "lint", EXAMPLE]);
  assert(ok, text);
});
