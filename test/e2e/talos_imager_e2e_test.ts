import assert from "node:assert/strict";
import { load } from "js-yaml";
import * as v from "valibot";
import { withDirectory } from "../fakes/testing.ts";
import { testImage } from "./support/extension_image.ts";
import { type ImagerProfile, runImager } from "./support/talos_imager.ts";

/*
 * Boot media with the extension, made by Talos' own imager from the profiles of examples/talos-media.
 * Kernel and boot loader are in the imager's image only, so what is made here is the initramfs: the
 * part of each medium that the extension goes into.
 */

const EXAMPLES = new URL("../../examples/talos-media/", import.meta.url);
const KINDS = { disk: "image", installer: "installer", iso: "iso" };

const profileSchema = v.looseObject({
  arch: v.literal("amd64"),
  platform: v.literal("metal"),
  version: v.string(),
  input: v.looseObject({ systemExtensions: v.array(v.object({ ociPath: v.string() })) }),
  output: v.looseObject({ kind: v.string(), outFormat: v.string() }),
});

const isAmd64 = Deno.build.arch === "x86_64";
const own = isAmd64 ? await testImage() : undefined;

function example(name: string): v.InferOutput<typeof profileSchema> {
  return v.parse(profileSchema, load(Deno.readTextFileSync(new URL(`${name}.yaml`, EXAMPLES))));
}

/** The medium's profile with what lies elsewhere here, and the initramfs alone to be made. */
async function initramfsOf(
  profile: ImagerProfile,
  directory: string,
  extension = own?.layout ?? "",
): Promise<ImagerProfile> {
  const initramfs = `${directory}/initramfs.xz`;
  await Deno.writeTextFile(initramfs, BASE);
  return {
    ...profile,
    input: { initramfs: { path: initramfs }, systemExtensions: [{ ociPath: extension }] },
    output: { kind: "initramfs", outFormat: "raw" },
  };
}

/** What is there before the extension; the imager only appends to it. */
const BASE = "the initramfs of Talos";

async function run(command: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  assert(success, `${command}: ${new TextDecoder().decode(stderr)}`);
}

/** What the imager appended, unpacked: squashfs images and their list. */
async function unpackedAppendix(initramfs: string, directory: string): Promise<string> {
  const bytes = await Deno.readFile(initramfs);
  const start = new TextEncoder().encode(BASE);
  assert.deepEqual(bytes.subarray(0, start.length), start);
  await Deno.writeFile(`${directory}/appended.zst`, bytes.subarray(start.length));
  await run("zstd", "-dq", `${directory}/appended.zst`, "-o", `${directory}/appended.cpio`);
  await Deno.mkdir(`${directory}/appended`);
  await run(
    "sh",
    "-c",
    `cd "$1" && cpio -id --quiet < ../appended.cpio`,
    "sh",
    `${directory}/appended`,
  );
  return `${directory}/appended`;
}

Deno.test("every profile of the folder is a medium of its own kind with the extension in it", () => {
  const names = [...Deno.readDirSync(EXAMPLES)].map(({ name }) => name.replace(/\.yaml$/, ""));
  assert.deepEqual(names.sort(), Object.keys(KINDS));
  for (const [name, kind] of Object.entries(KINDS)) {
    const { version, input, output } = example(name);
    assert.equal(output.kind, kind);
    assert.deepEqual(input.systemExtensions, [{ ociPath: "/in/extension" }]);
    const text = Deno.readTextFileSync(new URL(`${name}.yaml`, EXAMPLES));
    assert(text.includes(`imager:${version} - < examples/talos-media/${name}.yaml`), name);
  }
});

Deno.test({
  name: "Talos' imager takes each profile, up to the files that only its image has",
  ignore: !isAmd64,
  fn: async () => {
    for (const name of Object.keys(KINDS)) {
      await withDirectory(async (dir) => {
        const { code, stderr } = await runImager(dir, example(name));
        assert.notEqual(code, 0);
        assert.match(stderr, /profile ready:/);
        assert.match(stderr, /open \/usr\/install\/amd64\/initramfs\.xz: no such file/);
      });
    }
  },
});

Deno.test({
  name: "a profile with a mistake is refused before anything is made of it",
  ignore: !isAmd64,
  fn: async () => {
    const { input, ...rest } = example("disk");
    const broken: [string, ImagerProfile, RegExp][] = [
      ["an unknown kind", { ...rest, input, output: { kind: "stick", outFormat: "raw" } }, /stick/],
      ["no platform", { ...rest, input, platform: "" }, /platform is required/],
      ["no processor", { ...rest, input, arch: "" }, /invalid arch/],
    ];
    for (const [what, profile, expected] of broken) {
      await withDirectory(async (dir) => {
        const { code, stderr } = await runImager(dir, profile);
        assert.notEqual(code, 0, what);
        assert.match(stderr, expected, what);
        assert.doesNotMatch(stderr, /profile ready/, what);
      });
    }
  },
});

Deno.test({
  name: "a medium has the extension file by file, and a configuration that was given with it",
  ignore: !isAmd64,
  fn: async () => {
    await withDirectory(async (dir) => {
      const profile = {
        ...await initramfsOf(example("disk"), dir),
        customization: { embeddedMachineConfiguration: CONFIGURATION },
      };
      const { code, stderr } = await runImager(dir, profile);
      assert.equal(code, 0, stderr);
      const appended = await unpackedAppendix(`${dir}/out/initramfs-metal-amd64.xz`, dir);
      const list = load(await Deno.readTextFile(`${appended}/extensions.yaml`));
      const { layers: [ours, embedded, ...others] } = v.parse(listSchema, list);
      assert(ours !== undefined && embedded !== undefined && others.length === 0);
      assert.equal(ours.metadata.name, "holdfast");
      for (const [name, { image }] of Object.entries({ ours, embedded })) {
        await run("unsquashfs", "-q", "-n", "-d", `${dir}/${name}`, `${appended}/${image}`);
      }
      const config = `${dir}/embedded/usr/local/etc/talos/config.yaml`;
      assert.equal(await Deno.readTextFile(config), CONFIGURATION);
      await run("diff", "-r", "--no-dereference", `${own?.image}/rootfs`, `${dir}/ours`);
    });
  },
});

/** The imager does not look into it. */
const CONFIGURATION = "version: v1alpha1\n";

const listSchema = v.object({
  layers: v.array(v.object({
    image: v.string(),
    metadata: v.looseObject({ name: v.string(), version: v.string() }),
  })),
});

Deno.test({
  name: "an older Talos is not given an extension that it could not run",
  ignore: !isAmd64,
  fn: async () => {
    await withDirectory(async (dir) => {
      const profile = { ...await initramfsOf(example("disk"), dir), version: "v1.12.4" };
      const { code, stderr } = await runImager(dir, profile);
      assert.notEqual(code, 0);
      assert.match(stderr, />= v1\.13\.0 can't be satisfied with Talos version 1\.12\.4/);
    });
  },
});
