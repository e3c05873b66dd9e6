import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import {
  type Descriptor,
  type ImageSpec,
  writeOciArchive,
  writeOciLayout,
  type WrittenImage,
} from "./oci_image.ts";

const REFERENCE = "docker.io/library/hello:0.1.0";
const SPEC: ImageSpec = {
  references: [REFERENCE],
  entries: [
    { path: "bin/hello", content: "#!/bin/sh\necho hello\n", mode: 0o755 },
    { path: "etc/passwd", content: "root:x:0:0::/:\n" },
  ],
  config: {
    entrypoint: ["/bin/hello"],
    cmd: ["-x"],
    env: ["A=1"],
    user: "1000:1000",
    workdir: "/data",
    ports: ["8080/tcp"],
    volumes: ["/data"],
    labels: { "org.opencontainers.image.title": "hello" },
  },
};

async function withDir(see: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await see(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Writes one image and gives back what was written of it. */
async function one(
  write: typeof writeOciLayout,
  path: string,
  images: [ImageSpec],
): Promise<WrittenImage> {
  const [written] = await write(path, images);
  assert.ok(written);
  return written;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function readJson(path: string) {
  return JSON.parse(await Deno.readTextFile(path));
}

async function blob(directory: string, descriptor: Descriptor): Promise<Uint8Array> {
  const hex = descriptor.digest.slice("sha256:".length);
  const bytes = await Deno.readFile(`${directory}/blobs/sha256/${hex}`);
  assert.equal(sha256(bytes), hex, `${descriptor.mediaType} has another digest than its name`);
  assert.equal(bytes.length, descriptor.size);
  return bytes;
}

async function blobJson(directory: string, descriptor: Descriptor) {
  return JSON.parse(new TextDecoder().decode(await blob(directory, descriptor)));
}

async function tarNames(bytes: Uint8Array): Promise<string> {
  const child = new Deno.Command("tar", { args: ["-t"], stdin: "piped", stdout: "piped" }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(bytes);
  await writer.close();
  const { code, stdout } = await child.output();
  assert.equal(code, 0);
  return new TextDecoder().decode(stdout);
}

Deno.test("the layout leads from index.json over manifest and config to the layer's files", () =>
  withDir(async (directory) => {
    await writeOciLayout(directory, [SPEC]);
    assert.deepEqual(await readJson(`${directory}/oci-layout`), { imageLayoutVersion: "1.0.0" });
    const index = await readJson(`${directory}/index.json`);
    assert.equal(index.schemaVersion, 2);
    assert.equal(index.manifests.length, 1);
    assert.deepEqual(index.manifests[0].platform, { architecture: "amd64", os: "linux" });
    const manifest = await blobJson(directory, index.manifests[0]);
    assert.equal(manifest.mediaType, index.manifests[0].mediaType);
    const config = await blobJson(directory, manifest.config);
    const layer = await blob(directory, manifest.layers[0]);
    assert.equal(manifest.layers[0].mediaType, "application/vnd.oci.image.layer.v1.tar+gzip");
    const unpacked = gunzipSync(layer);
    assert.deepEqual(config.rootfs.diff_ids, [`sha256:${sha256(unpacked)}`]);
    assert.equal(await tarNames(unpacked), "bin/\nbin/hello\netc/\netc/passwd\n");
  }));

Deno.test("the image's settings stand in its config as the specification writes them", () =>
  withDir(async (directory) => {
    const written = await one(writeOciLayout, directory, [SPEC]);
    const config = await blobJson(directory, written.config);
    assert.deepEqual(config.config, {
      User: "1000:1000",
      ExposedPorts: { "8080/tcp": {} },
      Env: ["A=1"],
      Entrypoint: ["/bin/hello"],
      Cmd: ["-x"],
      Volumes: { "/data": {} },
      WorkingDir: "/data",
      Labels: { "org.opencontainers.image.title": "hello" },
    });
    assert.equal(config.os, "linux");
    assert.equal(config.architecture, "amd64");
  }));

Deno.test("settings that are not given are left out", () =>
  withDir(async (directory) => {
    const written = await one(writeOciLayout, directory, [{
      references: [REFERENCE],
      entries: [],
      architecture: "arm64",
    }]);
    const config = await blobJson(directory, written.config);
    assert.deepEqual(config.config, {});
    assert.equal(config.architecture, "arm64");
    const index = await readJson(`${directory}/index.json`);
    assert.equal(index.manifests[0].platform.architecture, "arm64");
  }));

Deno.test("an uncompressed layer is the tar itself, so its digest is its diff id", () =>
  withDir(async (directory) => {
    const written = await one(writeOciLayout, directory, [{ ...SPEC, compression: "none" }]);
    assert.equal(written.layer.mediaType, "application/vnd.oci.image.layer.v1.tar");
    const config = await blobJson(directory, written.config);
    assert.deepEqual(config.rootfs.diff_ids, [written.layer.digest]);
    assert.match(await tarNames(await blob(directory, written.layer)), /^bin\/hello$/m);
  }));

Deno.test("layers above the lowest follow in their order, each with its diff id and its history", () =>
  withDir(async (directory) => {
    const spec: ImageSpec = {
      ...SPEC,
      layersAbove: [[{ path: "one", content: "1" }], [{ path: "two", content: "2" }]],
      gzipLevel: 0,
    };
    const archive = `${directory}/image.tar`;
    const written = await one(writeOciLayout, directory, [spec]);
    const manifest = await blobJson(directory, written.manifest);
    assert.deepEqual(manifest.layers, written.layers);
    assert.deepEqual(written.layers[0], written.layer);
    const unpacked = [];
    for (const layer of written.layers) unpacked.push(gunzipSync(await blob(directory, layer)));
    const config = await blobJson(directory, written.config);
    assert.deepEqual(config.rootfs.diff_ids, unpacked.map((tar) => `sha256:${sha256(tar)}`));
    assert.equal(config.history.length, 3);
    const names = [];
    for (const tar of unpacked.slice(1)) names.push(await tarNames(tar));
    assert.deepEqual(names, ["one\n", "two\n"]);
    await writeOciArchive(archive, [spec]);
    const inArchive = await tarNames(await Deno.readFile(archive));
    for (const { digest } of written.layers) assert.ok(inArchive.includes(digest.slice(7)));
  }));

Deno.test("every reference names the image in the three ways that readers know", () =>
  withDir(async (directory) => {
    const references = [REFERENCE, "ghcr.io/x/hello:1"];
    await writeOciLayout(directory, [{ ...SPEC, references }]);
    const { manifests } = await readJson(`${directory}/index.json`);
    assert.equal(manifests[0].digest, manifests[1].digest);
    assert.deepEqual(
      manifests.map((one: { annotations: unknown }) => one.annotations),
      references.map((reference) => ({
        "io.containerd.image.name": reference,
        "org.opencontainers.image.base.name": reference,
        "org.opencontainers.image.ref.name": reference,
      })),
    );
  }));

Deno.test("two images share one layout, and nothing unfinished is left in it", () =>
  withDir(async (directory) => {
    const other: ImageSpec = {
      references: ["docker.io/library/other:1"],
      entries: [{ path: "x", content: "y" }],
    };
    const written = await writeOciLayout(directory, [SPEC, other]);
    const want = written.flatMap((one) => [one.manifest, one.config, one.layer])
      .map((one) => one.digest.slice("sha256:".length)).sort();
    const have = [...Deno.readDirSync(`${directory}/blobs/sha256`)].map((one) => one.name).sort();
    assert.deepEqual(have, want);
    assert.deepEqual([...Deno.readDirSync(`${directory}/blobs`)].map((one) => one.name), [
      "sha256",
    ]);
  }));

Deno.test("the same content gives the same archive, byte for byte", () =>
  withDir(async (directory) => {
    await writeOciArchive(`${directory}/1.tar`, [SPEC]);
    await writeOciArchive(`${directory}/2.tar`, [{ ...SPEC, entries: SPEC.entries.toReversed() }]);
    const [one, two] = [
      await Deno.readFile(`${directory}/1.tar`),
      await Deno.readFile(`${directory}/2.tar`),
    ];
    assert.equal(sha256(one), sha256(two));
    await writeOciArchive(`${directory}/2.tar`, [{ ...SPEC, config: { cmd: ["other"] } }]);
    assert.notEqual(sha256(await Deno.readFile(`${directory}/2.tar`)), sha256(one));
  }));

Deno.test("the archive holds the layout at its root", () =>
  withDir(async (directory) => {
    const written = await one(writeOciArchive, `${directory}/a.tar`, [SPEC]);
    const names = (await tarNames(await Deno.readFile(`${directory}/a.tar`))).trimEnd().split("\n");
    const blobs = [written.manifest, written.config, written.layer]
      .map((one) => `blobs/sha256/${one.digest.slice("sha256:".length)}`);
    assert.deepEqual(names, [
      "blobs/",
      "blobs/sha256/",
      ...blobs.sort(),
      "index.json",
      "oci-layout",
    ]);
  }));

for (const compression of ["gzip", "none"] as const) {
  Deno.test(`a source that fails ends the writing with its error (${compression})`, () =>
    withDir(async (directory) => {
      const entries = [{ path: "a", file: `${directory}/missing` }];
      await assert.rejects(
        writeOciLayout(directory, [{ ...SPEC, entries, compression }]),
        Deno.errors.NotFound,
      );
      assert.deepEqual([...Deno.readDirSync(`${directory}/blobs/sha256`)], []);
    }));
}

Deno.test("a layer larger than every buffer keeps its digest", () =>
  withDir(async (directory) => {
    const source = `${directory}/big`;
    await Deno.writeFile(source, crypto.getRandomValues(new Uint8Array(1 << 16)));
    const chunk = await Deno.readFile(source);
    for (let at = 0; at < 80; at++) await Deno.writeFile(source, chunk, { append: true });
    const written = await one(writeOciLayout, `${directory}/layout`, [{
      references: [REFERENCE],
      entries: [{ path: "big", file: source }],
    }]);
    const layer = await blob(`${directory}/layout`, written.layer);
    assert.equal((await Deno.stat(source)).size, 81 << 16);
    assert.ok(gunzipSync(layer).length > 81 << 16);
  }));
