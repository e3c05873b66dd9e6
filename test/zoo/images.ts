import { Buffer } from "node:buffer";
import {
  type ImageIndex,
  type ImageSpec,
  type PackageSpec,
  sha256,
} from "../fixtures/make_package.ts";
import { type BadPackage, type BadSpec, badSpec } from "./bad_package.ts";

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const SAMPLE = { reference: "docker.io/library/sample:1.0" };
const ABSENT = `sha256:${sha256("nowhere")}`;
const LAYER = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest: ABSENT, size: 7 };

/** Packages whose images/ is no OCI layout, or lies; every file is what checksums.txt says. */
export function badImages(): BadPackage[] {
  return [...layouts(), ...descriptors(), ...manifests(), ...references()].map(badSpec);
}

/** A package whose images/ has other files. */
function files(index: unknown, marker: unknown = { imageLayoutVersion: "1.0.0" }): PackageSpec {
  const text = (value: unknown) => typeof value === "string" ? value : JSON.stringify(value);
  return {
    images: [],
    files: {
      ...(index === undefined ? {} : { "images/index.json": text(index) }),
      ...(marker === undefined ? {} : { "images/oci-layout": text(marker) }),
    },
  };
}

const EMPTY = { schemaVersion: 2, manifests: [] };

function layouts(): BadSpec[] {
  const invalid = (name: string, part: string, spec: PackageSpec): BadSpec => [
    `layout-${name}`,
    "InvalidImageLayout",
    `images/${part}`,
    spec,
  ];
  return [
    invalid("marker-not-json", "oci-layout: is not JSON", files(EMPTY, "yes")),
    invalid("marker-list", "oci-layout: is not a JSON object", files(EMPTY, "[]")),
    invalid(
      "marker-version",
      "oci-layout: imageLayoutVersion",
      files(EMPTY, {
        imageLayoutVersion: "2.0.0",
      }),
    ),
    invalid("marker-empty", "oci-layout: imageLayoutVersion", files(EMPTY, {})),
    invalid("index-not-json", "index.json: is not JSON", files("{")),
    invalid("index-text-behind", "index.json: is not JSON", files('{"schemaVersion":2}}')),
    invalid("index-list", "index.json: is not a JSON object", files("[]")),
    invalid("index-version", "index.json: schemaVersion", files({ ...EMPTY, schemaVersion: 1 })),
    invalid("index-without-manifests", "index.json: manifests", files({ schemaVersion: 2 })),
    invalid("index-manifests-object", "index.json: manifests", files({ ...EMPTY, manifests: {} })),
    invalid(
      "index-manifests-null",
      "index.json: manifests.0",
      files({ ...EMPTY, manifests: [null] }),
    ),
    invalid(
      "index-annotation",
      "index.json: annotations",
      files({ ...EMPTY, annotations: { a: 1 } }),
    ),
    ["layout-no-marker", "MissingFile", "images/oci-layout", {
      ...files(EMPTY),
      files: { "images/index.json": JSON.stringify(EMPTY) },
    }],
    ["layout-blobs-alone", "MissingFile", "images/index.json", {
      images: [],
      files: { [`images/blobs/sha256/${sha256("x")}`]: "x" },
    }],
    [
      "layout-index-many-values",
      "LimitExceeded",
      "images/index.json: may hold more than 150000 values",
      files(`{"schemaVersion":2,"manifests":[${"1,".repeat(600_000)}1]}`),
    ],
    [
      "layout-index-9-mb",
      "LimitExceeded",
      "images/index.json: has 9000044 bytes",
      files(JSON.stringify(EMPTY).padEnd(9_000_044)),
    ],
  ];
}

function descriptors(): BadSpec[] {
  const first = (name: string, part: string, change: object): BadSpec => [
    `descriptor-${name}`,
    "InvalidImageLayout",
    `images/index.json: ${part}`,
    {
      hooks: { index: ({ manifests: [one] }: ImageIndex) => void Object.assign(one ?? {}, change) },
    },
  ];
  const digest = `sha256:${sha256("x")}`;
  return [
    first("md5", "manifests.0.digest", { digest: "md5:abc" }),
    first("sha512", "manifests.0.digest", { digest: `sha512:${sha256("x")}${sha256("x")}` }),
    first("upper-case", "manifests.0.digest", { digest: digest.toUpperCase() }),
    first("without-digest", "manifests.0.digest", { digest: undefined }),
    first("climbs", "manifests.0.digest", { digest: "sha256:../../../../etc/passwd" }),
    first("size-lie", "says that sha256:", { size: 1 }),
    first("size-negative", "manifests.0.size", { size: -1 }),
    first("size-fraction", "manifests.0.size", { size: 1.5 }),
    first("size-text", "manifests.0.size", { size: "100" }),
    first("size-beyond-counting", "manifests.0.size", { size: 1e300 }),
    first("media-type-number", "manifests.0.mediaType", { mediaType: 1 }),
    first("annotation-number", "manifests.0.annotations", { annotations: { a: 1 } }),
    ["descriptor-absent", "MissingBlob", `images/index.json: names ${ABSENT}`, {
      hooks: {
        index: ({ manifests }) => void manifests.push({ ...LAYER, mediaType: OCI_MANIFEST }),
      },
    }],
  ];
}

/** One blob more, which index.json names as a root. */
function root(mediaType: string, content: unknown): PackageSpec {
  const text = typeof content === "string" ? content : JSON.stringify(content);
  const hex = sha256(text);
  return {
    files: { [`images/blobs/sha256/${hex}`]: text },
    hooks: {
      index: ({ manifests }) =>
        void manifests.push({ mediaType, digest: `sha256:${hex}`, size: Buffer.byteLength(text) }),
    },
  };
}

function manifests(): BadSpec[] {
  const invalid = (name: string, part: string, spec: PackageSpec): BadSpec => [
    `manifest-${name}`,
    "InvalidImageLayout",
    part,
    spec,
  ];
  const absent = (name: string, spec: PackageSpec): BadSpec => [
    `manifest-${name}-absent`,
    "MissingBlob",
    `names ${ABSENT}, which is not in the package`,
    spec,
  ];
  const manifest = (more: object) => root(OCI_MANIFEST, { schemaVersion: 2, ...more });
  const layer = "not really a layer\n";
  const lie = { ...LAYER, digest: `sha256:${sha256(layer)}`, size: layer.length + 1 };
  return [
    invalid("not-json", "is not JSON", root(OCI_MANIFEST, "no JSON")),
    invalid("list", "is not a JSON object", root(OCI_MANIFEST, "[]")),
    invalid("version", "schemaVersion", root(OCI_MANIFEST, { schemaVersion: 1 })),
    invalid("layers-text", "layers", manifest({ layers: "all" })),
    invalid("layer-without-size", "layers.0.size", manifest({ layers: [{ digest: ABSENT }] })),
    invalid("layer-size-lie", "says that sha256:", manifest({ layers: [lie] })),
    invalid("config-size-lie", "says that sha256:", manifest({ config: lie })),
    invalid("index-without-manifests", "manifests", root(OCI_INDEX, { schemaVersion: 2 })),
    invalid(
      "with-manifests",
      "manifests: has no place in a document of this type",
      manifest({ manifests: [{ ...LAYER }] }),
    ),
    invalid("called-an-index", "mediaType: is not the type", manifest({ mediaType: OCI_INDEX })),
    invalid(
      "index-with-layers",
      "layers: has no place in a document of this type",
      root(OCI_INDEX, { schemaVersion: 2, manifests: [], layers: [{ ...LAYER }] }),
    ),
    absent("layer", manifest({ layers: [LAYER] })),
    absent("config", manifest({ config: LAYER })),
    absent(
      "child",
      root(OCI_INDEX, {
        schemaVersion: 2,
        manifests: [{ ...LAYER, mediaType: OCI_MANIFEST }],
      }),
    ),
    [
      "manifest-9-mb",
      "LimitExceeded",
      "bytes, the limit is 8388608",
      manifest({
        annotations: { a: "x".repeat(9_000_000) },
      }),
    ],
    [
      "manifest-many-values",
      "LimitExceeded",
      "may hold more than 150000 values",
      root(
        OCI_MANIFEST,
        `{"layers":[${"{},".repeat(300_000)}{}]}`,
      ),
    ],
  ];
}

function references(): BadSpec[] {
  const named = (value: string) => ({
    hooks: {
      index: ({ manifests: [one] }: ImageIndex) =>
        void Object.assign(one ?? {}, {
          annotations: { "org.opencontainers.image.ref.name": value },
        }),
    },
  });
  const two: readonly ImageSpec[] = [SAMPLE, { ...SAMPLE, style: "docker" }];
  return [
    ["image-two-of-a-name", "InvalidImageLayout", "sample:1.0 stands for two images", {
      images: two,
    }],
    ["image-name-none", "InvalidImageLayout", '"NOT A NAME" is not the name', named("NOT A NAME")],
    ["image-name-empty", "InvalidImageLayout", '"" is not the name of an image', named("")],
    ["image-of-unknown-type", "InvalidImageLayout", 'unknown media type "text/plain"', {
      hooks: {
        index: ({ manifests: [one] }) => void Object.assign(one ?? {}, { mediaType: "text/plain" }),
      },
    }],
    ["image-not-there", "MissingImage", "has no nginx:1.27, which zarf.yaml names", {
      components: [{ name: "web", images: ["nginx:1.27"] }],
    }],
    ["image-of-another-tag", "MissingImage", "has no docker.io/library/sample:2.0", {
      components: [{ name: "web", images: ["docker.io/library/sample:2.0"] }],
    }],
    ["image-archive-not-there", "MissingImage", "has no nginx:1.27, which zarf.yaml names", {
      components: [{
        name: "web",
        definition: { imageArchives: [{ path: "a.tar", images: ["nginx:1.27"] }] },
      }],
    }],
  ];
}
