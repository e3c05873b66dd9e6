import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage, type PackageSpec } from "../../test/fixtures/make_package.ts";
import type { PackageContents } from "../package/mod.ts";
import { digestOf } from "../std/mod.ts";
import { EXIT } from "./exit_codes.ts";
import { type ImageOverview, imagesOf as overviewsOf } from "./inspect_images.ts";
import { run } from "./testing.ts";

const PACKAGES = fileURLToPath(new URL("../../test/fixtures/packages", import.meta.url));

async function inspect(path: string): Promise<ImageOverview[]> {
  const { code, out, err } = await run("package", "inspect", "images", path, "-o", "json");
  assert.deepEqual([code, err], [EXIT.done, ""]);
  return JSON.parse(out);
}

async function imagesOf(spec: PackageSpec): Promise<ImageOverview[]> {
  return await withDirectory(async (dir) => {
    await Deno.writeFile(`${dir}/a.tar.zst`, buildPackage(spec));
    return await inspect(`${dir}/a.tar.zst`);
  });
}

Deno.test("images of Docker and of OCI, one platform or several, are told apart", async () => {
  const images = await inspect(`${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`);
  assert.deepEqual(
    images.map(({ reference, kind, platforms }) => [reference, kind, platforms]),
    [
      ["ghcr.io/holdfast-lab/layers:2.0.0", "image", ["linux/amd64"]],
      [
        "ghcr.io/holdfast-lab/webapp@sha256:" +
        "1714f08d5e24ad848aab89cfb4ad67d485535f8a623531c11d7b7ed994b7ae0d",
        "index",
        ["linux/amd64", "linux/arm64"],
      ],
      ["docker.io/library/busybox:1.35", "image", ["linux/amd64"]],
      ["ghcr.io/holdfast-lab/webapp:1.0.0", "image", ["linux/amd64"]],
    ],
  );
  assert(images.every(({ digest, size }) => /^sha256:[0-9a-f]{64}$/.test(digest) && size > 1_000));
});

Deno.test("the table has a line for each image", async () => {
  const path = `${PACKAGES}/zarf-package-app-small-amd64-0.0.1.tar.zst`;
  const { out } = await run("package", "inspect", "images", path);
  assert.match(
    out,
    /^IMAGE +KIND +PLATFORMS +SIZE +DIGEST\nghcr\.io\/\S+:1\.0\.0 +image +linux\/amd64 +3\.5 MB +sha256:\w{64}\n$/,
  );
});

Deno.test("a size counts every blob once, the manifest and the configuration included", async () => {
  const config = { os: "linux", architecture: "arm64", variant: "v8" };
  const layers = ["a".repeat(1_000), "b".repeat(500), "a".repeat(1_000)];
  const [image] = await imagesOf({
    images: [{ reference: "docker.io/library/a:1", layers, config }],
  });
  assert.deepEqual(image?.platforms, ["linux/arm64/v8"]);
  const manifest = (image?.size ?? 0) - 1_500 - JSON.stringify(config).length;
  assert(manifest > 200 && manifest < 2_000, `${manifest}`);
});

Deno.test("what is no container image is an artifact without a platform", async () => {
  const config = { architecture: "amd64", os: "linux" };
  const manifest = { artifactType: "application/vnd.example.chart" };
  const images = await imagesOf({
    images: [
      { reference: "ghcr.io/a/chart:1", config, manifest },
      { reference: "ghcr.io/a/odd:1", config: { os: 7 } },
    ],
  });
  assert.deepEqual(images.map(({ kind, platforms }) => [kind, platforms]), [
    ["artifact", []],
    ["image", []],
  ]);
});

Deno.test("what an index says of its images' origin is no platform", () => {
  const [image, origin] = [digestOf("image"), digestOf("origin")];
  const index = {
    schemaVersion: 2,
    manifests: [
      { digest: image, platform: { os: "linux", architecture: "arm", variant: "v7" } },
      { digest: origin, platform: { os: "unknown", architecture: "unknown" } },
    ],
  };
  const descriptor = {
    mediaType: "application/vnd.oci.image.index.v1+json",
    digest: digestOf("index"),
    size: 10,
  };
  const named = { reference: "docker.io/a/b:1", host: "docker.io", repository: "a/b", descriptor };
  const blobs = [descriptor, { digest: image, size: 5 }, { digest: origin, size: 3 }];
  const contents = {
    images: [named],
    manifests: [descriptor],
    blobs,
  } as unknown as PackageContents;
  const [found] = overviewsOf({
    contents,
    document: (digest) =>
      digest === descriptor.digest ? new TextEncoder().encode(JSON.stringify(index)) : undefined,
  });
  assert.deepEqual(found?.platforms, ["linux/arm/v7"]);
  assert.equal(found?.size, 18);
});

Deno.test("a package without images has none", async () => {
  assert.deepEqual(await imagesOf({ images: [], components: [{ name: "a" }] }), []);
});
