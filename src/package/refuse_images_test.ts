import { sha256 } from "../../test/fixtures/make_package.ts";
import { refusalTable } from "../../test/fixtures/refusal.ts";

const LAYER = `images/blobs/sha256/${sha256("not really a layer\n")}`;
const SAMPLE = { reference: "docker.io/library/sample:1.0" };
const EMPTY_DIGEST = `sha256:${sha256("")}`;

refusalTable("images that are not whole are refused", [
  {
    name: "a layer that no file holds",
    spec: {
      images: [{
        ...SAMPLE,
        manifest: { layers: [{ mediaType: "l", digest: EMPTY_DIGEST, size: 0 }] },
      }],
    },
    reason: "MissingBlob",
    part: EMPTY_DIGEST,
  },
  {
    name: "a manifest that no file holds",
    spec: {
      hooks: { index: (i) => i.manifests.push({ mediaType: "m", digest: EMPTY_DIGEST, size: 0 }) },
    },
    reason: "MissingBlob",
    part: "images/index.json: names",
  },
  {
    name: "a wrong size",
    spec: { hooks: { index: (i) => Object.assign(i.manifests[0] ?? {}, { size: 1 }) } },
    reason: "InvalidImageLayout",
    part: "has 1 bytes, but it has",
  },
  {
    name: "an index that is no index",
    spec: { hooks: { index: (i) => i.schemaVersion = 1 } },
    reason: "InvalidImageLayout",
    part: "images/index.json: schemaVersion",
  },
  {
    name: "a digest of another kind",
    spec: { hooks: { index: (i) => Object.assign(i.manifests[0] ?? {}, { digest: "md5:abc" }) } },
    reason: "InvalidImageLayout",
    part: "manifests.0.digest",
  },
  {
    name: "a name for something unknown",
    spec: {
      hooks: { index: (i) => Object.assign(i.manifests[0] ?? {}, { mediaType: "text/plain" }) },
    },
    reason: "InvalidImageLayout",
    part: "text/plain",
  },
  {
    name: "a name that is none",
    spec: {
      hooks: {
        index: (i) =>
          Object.assign(i.manifests[0] ?? {}, {
            annotations: { "org.opencontainers.image.ref.name": "NOT A NAME" },
          }),
      },
    },
    reason: "InvalidImageLayout",
    part: "NOT A NAME",
  },
  {
    name: "a name that begins with no host",
    spec: {
      hooks: {
        index: (i) =>
          Object.assign(i.manifests[0] ?? {}, {
            annotations: { "org.opencontainers.image.ref.name": "under_score.example/sample:1.0" },
          }),
      },
    },
    reason: "InvalidImageLayout",
    part: "under_score.example",
  },
  {
    name: "a component's image that begins with no host",
    spec: { components: [{ name: "web", images: ["under_score.example/sample:1.0"] }] },
    reason: "InvalidDefinition",
    part: "under_score.example",
  },
  {
    name: "a manifest that is no JSON",
    spec: {
      hooks: {
        index: (i) =>
          Object.assign(i.manifests[0] ?? {}, {
            digest: `sha256:${sha256("not really a layer\n")}`,
            size: 19,
          }),
      },
    },
    reason: "InvalidImageLayout",
    part: "is not JSON",
  },
  {
    name: "one name for two images",
    spec: { images: [SAMPLE, { ...SAMPLE, style: "docker" }] },
    reason: "InvalidImageLayout",
    part: "stands for two images",
  },
  {
    name: "an image that a component names is not there",
    spec: { components: [{ name: "web", images: ["nginx:1.27"] }] },
    reason: "MissingImage",
    part: "nginx:1.27",
  },
  {
    name: "blobs without an index",
    spec: { images: [], files: { [LAYER]: "not really a layer\n" } },
    reason: "MissingFile",
    part: "images/index.json",
  },
  {
    name: "an index without the layout's mark",
    spec: { images: [], files: { "images/index.json": "{}" } },
    reason: "MissingFile",
    part: "images/oci-layout",
  },
]);

refusalTable("a package for another processor is refused with both names", [
  {
    name: "arm64",
    spec: { architecture: "arm64" },
    reason: "ArchitectureMismatch",
    part: "for arm64, this node is amd64",
  },
  {
    name: "none",
    spec: { architecture: "" },
    reason: "ArchitectureMismatch",
    part: "for no architecture, this node is amd64",
  },
  {
    name: "a skeleton",
    spec: { architecture: "skeleton", images: [] },
    reason: "ArchitectureMismatch",
    part: "skeleton",
  },
  {
    name: "metadata that says otherwise",
    spec: { hooks: { definition: (d) => d.metadata.architecture = "arm64" } },
    reason: "ArchitectureMismatch",
    part: "arm64",
  },
]);

refusalTable("every limit is kept and named", [
  {
    name: "entries",
    spec: {},
    limits: { entries: 5 },
    reason: "LimitExceeded",
    part: "more than 5 entries",
  },
  {
    name: "content",
    spec: {},
    limits: { contentBytes: 1000 },
    reason: "LimitExceeded",
    part: "more than 1000 bytes",
  },
  {
    name: "definition",
    spec: {},
    limits: { definitionBytes: 100 },
    reason: "LimitExceeded",
    part: "zarf.yaml: has",
  },
  {
    name: "checksums",
    spec: {},
    limits: { checksumsBytes: 100 },
    reason: "LimitExceeded",
    part: "checksums.txt: has",
  },
  {
    name: "index",
    spec: {},
    limits: { manifestBytes: 200 },
    reason: "LimitExceeded",
    part: "images/index.json: has",
  },
  {
    name: "manifests",
    spec: {},
    limits: { manifests: 0 },
    reason: "LimitExceeded",
    part: "more than 0 manifests",
  },
  {
    name: "names",
    spec: {},
    limits: { nameBytes: 10 },
    reason: "LimitExceeded",
    part: "the limit is 10",
  },
  {
    name: "names by their bytes",
    spec: { files: { [`${"€".repeat(80)}/`.repeat(5) + "x"]: "400 characters" } },
    reason: "LimitExceeded",
    part: "a name has 1204 bytes",
  },
  {
    name: "names together",
    spec: {},
    limits: { nameCharacters: 100 },
    reason: "LimitExceeded",
    part: "more than 100 characters",
  },
]);
