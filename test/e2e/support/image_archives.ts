/**
 * Archives of images that Zarf takes as `imageArchives`, made without a registry.
 *
 * @module
 */
import assert from "node:assert/strict";
import { writeOciLayout } from "../../../extension/build/oci_image.ts";
import { type Digest, digestHex, digestOf } from "../../../src/std/mod.ts";

const TESTDATA = new URL("../../fixtures/images-testdata/", import.meta.url).pathname;
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

/** The name of the image in Docker's archives. */
export const HELLO_WORLD = "docker.io/library/hello-world:linux";

/** Packs one of Zarf's own test layouts, as `docker save` wrote it, into a tar file. */
export async function dockerArchive(
  layout: "docker-containerd-image-store" | "docker-graph-driver-image-store",
  file: string,
): Promise<void> {
  await pack(file, `${TESTDATA}${layout}`);
}

/**
 * Writes an archive with one index for two processors, and gives the index' digest: it is named
 * `<repository>@<digest>` and, for a tag, `<repository>:1`.
 */
export async function multiPlatformArchive(file: string, repository: string): Promise<Digest> {
  const layout = await Deno.makeTempDir({ prefix: "holdfast-index-" });
  try {
    const architectures = ["amd64", "arm64"];
    const written = await writeOciLayout(
      layout,
      architectures.map((architecture) => ({
        references: [`${repository}:${architecture}`],
        entries: [{ path: "hello", content: "the same layer in both images" }],
        config: { cmd: ["/hello"] },
        architecture,
      })),
    );
    const manifests = written.map(({ manifest }, at) => ({
      ...manifest,
      platform: { os: "linux", architecture: architectures[at] },
    }));
    const content = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
    const digest = digestOf(content);
    await Deno.writeTextFile(`${layout}/blobs/sha256/${digestHex(digest)}`, content);
    const root = { mediaType: OCI_INDEX, digest, size: content.length };
    const names = [`${repository}@${digest}`, `${repository}:1`];
    const roots = names.map((name) => ({
      ...root,
      annotations: { "io.containerd.image.name": name },
    }));
    await Deno.writeTextFile(
      `${layout}/index.json`,
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: roots }),
    );
    await pack(file, layout);
    return digest;
  } finally {
    await Deno.remove(layout, { recursive: true });
  }
}

async function pack(file: string, directory: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("tar", {
    args: ["--create", "--file", file, "--directory", directory, "."],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
}
