import assert from "node:assert/strict";
import {
  buildPackage,
  type ImageIndex,
  packageEntries,
  type PackageSpec,
  sha256,
} from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { refusal } from "../../test/fixtures/refusal.ts";
import { type PackageContents, readPackage } from "./mod.ts";

/*
 * Image layouts as they are found in packages: Zarf's own test data (Zarf 0.84, src/pkg/images/testdata)
 * and what Zarf and others write into one. Each row says what comes out.
 */

const TESTDATA = new URL("../../test/fixtures/images-testdata/", import.meta.url);
const directory = (name: string) => new URL(name, TESTDATA).pathname;

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
const BASE_NAME = "org.opencontainers.image.base.name";
const REF_NAME = "org.opencontainers.image.ref.name";

interface Row {
  readonly name: string;
  readonly spec: PackageSpec;
  /** Each image as `reference -> kind digest`, every digest by its first twelve digits. */
  readonly images: readonly string[];
  readonly manifests: number;
  readonly blobs: number;
}

/** Sets the annotations of the index's first entry. */
const named = (
  annotations: Record<string, string>,
  components: PackageSpec["components"] = [],
) => ({
  components: [{ name: "web", images: [] }, ...components],
  hooks: {
    index: ({ manifests }: ImageIndex) => void Object.assign(manifests[0] ?? {}, { annotations }),
  },
});

/** The manifest of the package that is built without a spec. */
const SAMPLE = (() => {
  const index = packageEntries().find(({ name }) => name === "images/index.json");
  const { manifests } = JSON.parse(String(index?.content));
  return { digest: String(manifests[0].digest), short: String(manifests[0].digest).slice(7, 19) };
})();

/** A package that keeps two images below an index, under the names that are given. */
function multiPlatform(
  mediaType: string,
  style: "oci" | "docker",
  names: (digest: string) => string[],
): PackageSpec {
  const images = ["amd64", "arm64"].map((architecture) => ({
    reference: `docker.io/library/${architecture}:1`,
    config: { architecture, os: "linux", rootfs: { type: "layers", diff_ids: [] } },
    layers: ["the same layer", architecture],
    style,
  }));
  const flat = packageEntries({ images }).find(({ name }) => name === "images/index.json");
  const manifests = JSON.parse(String(flat?.content)).manifests.map(
    ({ annotations: _, ...manifest }: Record<string, unknown>, at: number) => ({
      ...manifest,
      platform: { os: "linux", architecture: ["amd64", "arm64"][at] },
    }),
  );
  const content = JSON.stringify({ schemaVersion: 2, mediaType, manifests });
  const digest = `sha256:${sha256(content)}`;
  return {
    images,
    components: [{ name: "web", images: names(digest) }],
    files: { [`images/blobs/sha256/${sha256(content)}`]: content },
    hooks: {
      index(index) {
        const root = { mediaType, digest, size: content.length };
        // As oras records them: the children too, without a name.
        index.manifests = [
          ...manifests,
          ...names(digest).map((name) => ({
            ...root,
            annotations: { [BASE_NAME]: name, [REF_NAME]: name },
          })),
        ];
      },
    },
  };
}

const SIGNATURE_TAG = "sha256-57a654ace69ec02ba8973093b6a786faa15640575fbf0dbb603db55aca2ccec8.sig";
const podinfo = [
  "ghcr.io/stefanprodan/charts/podinfo:6.4.0 -> oci manifest b28556176ff2",
  `ghcr.io/stefanprodan/podinfo:${SIGNATURE_TAG} -> oci manifest 6162308b7421`,
  "ghcr.io/zarf-dev/images/hello-world:latest -> oci manifest 03b62250a3cb",
];

const ROWS: readonly Row[] = [
  {
    name: "crane's layout: base.name alone, OCI and Docker manifests, a signature and a chart",
    spec: { layouts: [directory("crane-oci-layout/images")] },
    images: [
      `docker.io/library/hello-world@03b62250a3cb -> oci manifest 03b62250a3cb`,
      "docker.io/library/local-test:1.0.0 -> docker manifest 36d1d40a06b5",
      ...podinfo,
      "localhost:9999/local-test:1.0.0 -> docker manifest 36d1d40a06b5",
    ],
    manifests: 4,
    blobs: 12,
  },
  {
    name: "oras' layout of the same images: both names, annotations of others beside them",
    spec: { layouts: [directory("oras-oci-layout/images")] },
    images: [
      `docker.io/library/hello-world@03b62250a3cb -> oci manifest 03b62250a3cb`,
      "docker.io/library/local-test:1.0.0 -> oci manifest 6a88822e787d",
      ...podinfo,
      "localhost:9999/local-test:1.0.0 -> oci manifest 6a88822e787d",
    ],
    manifests: 4,
    blobs: 12,
  },
  {
    name: "Docker's own layout, whose ref.name is a tag and is read as the name of an image",
    spec: { layouts: [directory("docker-graph-driver-image-store")] },
    images: ["docker.io/library/linux:latest -> oci manifest 40dac9b7451f"],
    manifests: 1,
    blobs: 4,
  },
  {
    name: "Docker's other files beside the layout's own",
    spec: {
      layouts: [directory("docker-graph-driver-image-store")],
      files: { "images/manifest.json": "[]", "images/repositories": "{}" },
    },
    images: ["docker.io/library/linux:latest -> oci manifest 40dac9b7451f"],
    manifests: 1,
    blobs: 4,
  },
  {
    name: "two layouts with the same blobs and no name in common",
    spec: {
      layouts: [directory("oras-oci-layout/images"), directory("docker-graph-driver-image-store")],
      hooks: {
        index: (index) => void (index.manifests = index.manifests.slice(-1)),
      },
    },
    images: ["docker.io/library/linux:latest -> oci manifest 40dac9b7451f"],
    manifests: 1,
    blobs: 16,
  },
  {
    name: "a name of a very old package, without host",
    spec: named({ [BASE_NAME]: "sample:1.0" }),
    images: [`docker.io/library/sample:1.0 -> oci manifest ${SAMPLE.short}`],
    manifests: 1,
    blobs: 3,
  },
  {
    name: "a name without host, with a path",
    spec: named({ [BASE_NAME]: "bitnami/sample:1.0" }),
    images: [`docker.io/bitnami/sample:1.0 -> oci manifest ${SAMPLE.short}`],
    manifests: 1,
    blobs: 3,
  },
  {
    name: "a name without tag and digest",
    spec: named({ [REF_NAME]: "ghcr.io/a/sample" }),
    images: [`ghcr.io/a/sample:latest -> oci manifest ${SAMPLE.short}`],
    manifests: 1,
    blobs: 3,
  },
  {
    name: "a name with tag and digest",
    spec: named({ [REF_NAME]: `ghcr.io/a/sample:1@${SAMPLE.digest}` }, [
      { name: "more", images: [`ghcr.io/a/sample:1@${SAMPLE.digest}`] },
    ]),
    images: [`ghcr.io/a/sample:1@${SAMPLE.short} -> oci manifest ${SAMPLE.short}`],
    manifests: 1,
    blobs: 3,
  },
  {
    name: "a name with a digest alone",
    spec: named({ [REF_NAME]: `ghcr.io/a/sample@${SAMPLE.digest}` }),
    images: [`ghcr.io/a/sample@${SAMPLE.short} -> oci manifest ${SAMPLE.short}`],
    manifests: 1,
    blobs: 3,
  },
  {
    // The name of another image altogether, by which its builder says what it is based on.
    name: "base.name beside a different ref.name",
    spec: named({ [BASE_NAME]: "docker.io/library/alpine:3", [REF_NAME]: "ghcr.io/a/sample:1" }),
    images: [`ghcr.io/a/sample:1 -> oci manifest ${SAMPLE.short}`],
    manifests: 1,
    blobs: 3,
  },
  {
    name: "a lone base.name where others have a ref.name",
    spec: {
      hooks: {
        index({ manifests }) {
          manifests.push({ ...manifests[0], annotations: { [BASE_NAME]: "alpine:3.20" } });
        },
      },
    },
    images: [`docker.io/library/sample:1.0 -> oci manifest ${SAMPLE.short}`],
    manifests: 1,
    blobs: 3,
  },
  {
    name: "the same name twice for the same image",
    spec: { hooks: { index: ({ manifests }) => void manifests.push({ ...manifests[0] }) } },
    images: [`docker.io/library/sample:1.0 -> oci manifest ${SAMPLE.short}`],
    manifests: 1,
    blobs: 3,
  },
  {
    name: "the same layer in several images",
    spec: {
      images: ["a", "b", "c"].map((name) => ({
        reference: `docker.io/library/${name}:1`,
        layers: ["shared", name],
      })),
    },
    images: [
      "docker.io/library/a:1 -> oci manifest cb436f620634",
      "docker.io/library/b:1 -> oci manifest 0e327246a2d8",
      "docker.io/library/c:1 -> oci manifest 6341c42da5e6",
    ],
    manifests: 3,
    // One config for all three.
    blobs: 3 + 4 + 1,
  },
  {
    name: "the same layer twice in one image",
    spec: { images: [{ reference: "docker.io/library/a:1", layers: ["same", "same"] }] },
    images: ["docker.io/library/a:1 -> oci manifest 5636c722587a"],
    manifests: 1,
    blobs: 3,
  },
  {
    name: "an image without layers",
    spec: { images: [{ reference: "docker.io/library/a:1", layers: [] }] },
    images: ["docker.io/library/a:1 -> oci manifest c5c3090c78a6"],
    manifests: 1,
    blobs: 2,
  },
  {
    name: "an OCI index by its digest, children without names",
    spec: multiPlatform(OCI_INDEX, "oci", (digest) => [`ghcr.io/a/multi@${digest}`]),
    images: ["ghcr.io/a/multi@edfaa8cee995 -> oci index edfaa8cee995"],
    manifests: 3,
    blobs: 8,
  },
  {
    name: "a Docker manifest list by tag and digest, and by a tag alone",
    spec: multiPlatform(
      DOCKER_LIST,
      "docker",
      (digest) => [`ghcr.io/a/multi:1@${digest}`, "ghcr.io/a/multi:1"],
    ),
    images: [
      "ghcr.io/a/multi:1 -> docker index 2ab43195a7a3",
      "ghcr.io/a/multi:1@2ab43195a7a3 -> docker index 2ab43195a7a3",
    ],
    manifests: 3,
    blobs: 8,
  },
  {
    name: "no image at all",
    spec: {
      components: [{ name: "web" }],
      layouts: [],
      hooks: { index: (index) => void (index.manifests = []) },
    },
    images: [],
    manifests: 0,
    blobs: 0,
  },
];

/** One image as a row says it. */
function line({ reference, descriptor }: PackageContents["images"][number]): string {
  const { mediaType, digest } = descriptor;
  const style = mediaType.includes("docker") ? "docker" : "oci";
  const kind = [OCI_INDEX, DOCKER_LIST].includes(mediaType) ? "index" : "manifest";
  const name = reference.replace(/@sha256:(.{12}).*/, "@$1");
  return `${name} -> ${style} ${kind} ${digest.slice(7, 19)}`;
}

for (const { name, spec, images, manifests, blobs } of ROWS) {
  Deno.test(`an image layout is read: ${name}`, async () => {
    const sink = new MemorySink();
    const options = { format: "tar.zst", architecture: "amd64", sink } as const;
    const contents = await readPackage(sourceOf(buildPackage(spec)), options);
    assert.deepEqual(contents.images.map(line).sort(), [...images].sort());
    assert.equal(contents.manifests.length, manifests);
    assert.equal(contents.blobs.length, blobs);
    assert.equal(sink.blobs.size, blobs);
  });
}

Deno.test("an image's parts are those of its name, and its tag is Zarf's too", async () => {
  const sink = new MemorySink();
  const spec = named({ [REF_NAME]: `registry.example:5000/a/b/c:1.0@${SAMPLE.digest}` });
  const options = { format: "tar.zst", architecture: "amd64", sink } as const;
  const { images } = await readPackage(sourceOf(buildPackage(spec)), options);
  const { descriptor: _, zarfTag, ...image } = images[0] ?? assert.fail();
  assert.deepEqual(image, {
    reference: `registry.example:5000/a/b/c:1.0@${SAMPLE.digest}`,
    host: "registry.example:5000",
    repository: "a/b/c",
    tag: "1.0",
  });
  assert.match(zarfTag ?? "", /^1\.0-zarf-[0-9]+$/);
});

Deno.test("containerd's layout of one platform lacks what its index names, and is refused", async () => {
  const spec = { layouts: [directory("docker-containerd-image-store")] };
  const error = await refusal(buildPackage(spec));
  assert.equal(error.reason, "MissingBlob", error.message);
  assert.match(error.message, /manifest sha256:53cc1017/);
});
