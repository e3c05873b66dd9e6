import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type Digest, digestOf } from "../std/mod.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";
import { isIndexType, type Layout, walkLayout } from "./layout.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";

const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
const ARTIFACT_MANIFEST = "application/vnd.oci.artifact.manifest.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

interface Part {
  mediaType: string;
  digest: Digest;
  size: number;
}

/** A layout in memory; blobs are added by hand. */
class TestLayout {
  readonly blobs = new Map<Digest, Uint8Array>();
  readonly roots: unknown[] = [];
  readonly reads: Digest[] = [];
  marker: string | undefined = '{"imageLayoutVersion":"1.0.0"}';

  add(mediaType: string, content: unknown): Part {
    const bytes = Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
    const digest = digestOf(bytes);
    this.blobs.set(digest, bytes);
    return { mediaType, digest, size: bytes.length };
  }

  /** An image manifest with one config and one layer, both named after it. */
  image(name: string, more: Record<string, unknown> = {}): Part {
    return this.add(OCI_MANIFEST, {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: this.add(CONFIG, `config of ${name}`),
      layers: [this.add(LAYER, `layer of ${name}`)],
      ...more,
    });
  }

  walk(limits: Partial<Limits> = {}): Layout {
    const bytes = (text: string) => new TextEncoder().encode(text);
    return walkLayout({
      marker: this.marker === undefined ? undefined : bytes(this.marker),
      index: bytes(JSON.stringify({ schemaVersion: 2, manifests: this.roots })),
      blobs: new Map([...this.blobs].map(([digest, content]) => [digest, content.length])),
      read: (digest) => {
        this.reads.push(digest);
        return this.blobs.get(digest) ?? assert.fail(`${digest} is read but not there`);
      },
    }, { ...DEFAULT_LIMITS, ...limits });
  }
}

function refuses(reason: PackageErrorReason, message: string, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert(error instanceof PackageError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert(error.message.includes(message), error.message);
    return true;
  });
}

Deno.test("a layout without manifests is empty", () => {
  const layout = new TestLayout().walk();
  assert.equal(layout.manifests.size, 0);
  assert.deepEqual(layout.roots, []);
});

Deno.test("every manifest under indexes of indexes is found once", () => {
  const layout = new TestLayout();
  const [amd, arm] = [layout.image("amd64"), layout.image("arm64")];
  const inner = layout.add(DOCKER_LIST, { schemaVersion: 2, manifests: [arm, amd] });
  const outer = layout.add(OCI_INDEX, { schemaVersion: 2, manifests: [inner, amd] });
  layout.roots.push(outer, amd, outer);
  const { manifests, roots } = layout.walk();
  assert.deepEqual([...manifests.keys()], [outer, amd, inner, arm].map(({ digest }) => digest));
  assert.equal(roots.length, 3);
  assert.deepEqual(layout.reads.length, 4, "a manifest was read more than once");
  assert.equal(manifests.get(inner.digest)?.mediaType, DOCKER_LIST);
});

Deno.test("a manifest says what it is: its type, its subject, its annotations", () => {
  const layout = new TestLayout();
  const image = layout.image("app");
  const typed = layout.image("sbom", { artifactType: "application/spdx+json", subject: image });
  const plain = layout.image("sig", { subject: image, annotations: { key: "value" } });
  layout.roots.push(image, typed, plain);
  const { manifests } = layout.walk();
  assert.deepEqual(manifests.get(image.digest), { ...image, artifactType: CONFIG });
  assert.deepEqual(manifests.get(typed.digest), {
    ...typed,
    artifactType: "application/spdx+json",
    subject: image.digest,
  });
  assert.deepEqual(manifests.get(plain.digest), {
    ...plain,
    artifactType: CONFIG,
    subject: image.digest,
    annotations: { key: "value" },
  });
});

Deno.test("a subject need not be in the package", () => {
  const layout = new TestLayout();
  const gone: Part = { mediaType: OCI_MANIFEST, digest: digestOf("gone"), size: 4 };
  const referrer = layout.image("sig", { subject: gone });
  layout.roots.push(referrer);
  assert.equal(layout.walk().manifests.get(referrer.digest)?.subject, gone.digest);
});

Deno.test("Docker's manifests and OCI's former artifact manifests are read like images", () => {
  for (const [mediaType, key] of [[DOCKER_MANIFEST, "layers"], [ARTIFACT_MANIFEST, "blobs"]]) {
    assert(mediaType !== undefined && key !== undefined);
    const layout = new TestLayout();
    const blob = layout.add(LAYER, "content");
    layout.roots.push(layout.add(mediaType, { schemaVersion: 2, [key]: [blob] }));
    assert.equal(layout.walk().manifests.size, 1);
    layout.blobs.delete(blob.digest);
    refuses("MissingBlob", blob.digest, () => layout.walk());
  }
});

Deno.test("Go's null for an empty list is an empty list", () => {
  const layout = new TestLayout();
  layout.roots.push(
    layout.add(OCI_INDEX, { schemaVersion: 2, manifests: null, annotations: null }),
    layout.add(OCI_MANIFEST, { schemaVersion: 2, layers: null, subject: null }),
  );
  assert.equal(layout.walk().manifests.size, 2);
});

Deno.test("layers that may not be handed on may be absent, all others not", () => {
  const foreign = [
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
    "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  ];
  for (const mediaType of [...foreign, LAYER]) {
    const layout = new TestLayout();
    const absent: Part = { mediaType, digest: digestOf("windows"), size: 7 };
    layout.roots.push(layout.image("windows", { layers: [absent] }));
    if (foreign.includes(mediaType)) assert.equal(layout.walk().manifests.size, 1);
    else refuses("MissingBlob", absent.digest, () => layout.walk());
  }
});

Deno.test("an entry of another media type is a blob and nothing more", () => {
  const layout = new TestLayout();
  layout.roots.push(layout.add("application/octet-stream", "anything"));
  assert.equal(layout.walk().manifests.size, 0);
  assert.deepEqual(layout.reads, []);
});

Deno.test("whatever a manifest names and the package lacks is refused with the manifest", async (t) => {
  const missing = digestOf("missing");
  const part = (mediaType: string): Part => ({ mediaType, digest: missing, size: 7 });
  const cases: [string, (layout: TestLayout) => Part][] = [
    ["a config", (layout) => layout.image("a", { config: part(CONFIG) })],
    ["a layer", (layout) => layout.image("a", { layers: [part(LAYER)] })],
    ["a platform", (layout) =>
      layout.add(OCI_INDEX, {
        schemaVersion: 2,
        manifests: [layout.image("here"), part(OCI_MANIFEST)],
      })],
  ];
  for (const [name, make] of cases) {
    await t.step(name, () => {
      const layout = new TestLayout();
      const root = make(layout);
      layout.roots.push(root);
      refuses("MissingBlob", `${root.digest}: names ${missing}`, () => layout.walk());
    });
  }
});

Deno.test("a size that differs from the blob's is refused, wherever it is said", async (t) => {
  const wrong = (part: Part): Part => ({ ...part, size: part.size + 1 });
  const cases: [string, (layout: TestLayout) => Part][] = [
    ["in index.json", (layout) => wrong(layout.image("a"))],
    ["of a config", (layout) => layout.image("a", { config: wrong(layout.add(CONFIG, "c")) })],
    ["of a layer", (layout) => layout.image("a", { layers: [wrong(layout.add(LAYER, "l"))] })],
    [
      "of a platform",
      (layout) =>
        layout.add(OCI_INDEX, { schemaVersion: 2, manifests: [wrong(layout.image("a"))] }),
    ],
  ];
  for (const [name, make] of cases) {
    await t.step(name, () => {
      const layout = new TestLayout();
      layout.roots.push(make(layout));
      refuses("InvalidImageLayout", "bytes, but it has", () => layout.walk());
    });
  }
});

Deno.test("documents that are not what they should be are refused", async (t) => {
  const cases: [string, (layout: TestLayout) => void, PackageErrorReason, string][] = [
    ["no marker", (layout) => layout.marker = undefined, "MissingFile", "images/oci-layout"],
    [
      "a marker of another version",
      (layout) => {
        layout.marker = '{"imageLayoutVersion":"2.0.0"}';
      },
      "InvalidImageLayout",
      "images/oci-layout: imageLayoutVersion",
    ],
    [
      "a marker that is not JSON",
      (layout) => {
        layout.marker = "1.0.0";
      },
      "InvalidImageLayout",
      "images/oci-layout: is not JSON",
    ],
    [
      "an index without manifests",
      (layout) => {
        layout.roots.push(layout.add(OCI_INDEX, { schemaVersion: 2 }));
      },
      "InvalidImageLayout",
      "manifests",
    ],
    [
      "a manifest that is a list",
      (layout) => {
        layout.roots.push(layout.add(OCI_MANIFEST, []));
      },
      "InvalidImageLayout",
      "images: manifest sha256:",
    ],
    [
      "a manifest of schema 1",
      (layout) => {
        layout.roots.push(layout.add(DOCKER_MANIFEST, { schemaVersion: 1 }));
      },
      "InvalidImageLayout",
      "schemaVersion",
    ],
    [
      "a layer without a digest",
      (layout) => {
        layout.roots.push(layout.image("a", { layers: [{ mediaType: LAYER, size: 1 }] }));
      },
      "InvalidImageLayout",
      "layers.0.digest",
    ],
    [
      "a negative size",
      (layout) => {
        layout.roots.push({ ...layout.image("a"), size: -1 });
      },
      "InvalidImageLayout",
      "manifests.0.size",
    ],
  ];
  for (const [name, change, reason, message] of cases) {
    await t.step(name, () => {
      const layout = new TestLayout();
      change(layout);
      refuses(reason, message, () => layout.walk());
    });
  }
});

Deno.test("the number of manifests and the size of one are bounded", () => {
  const layout = new TestLayout();
  layout.roots.push(layout.image("one"), layout.image("two"));
  assert.equal(layout.walk({ manifests: 2 }).manifests.size, 2);
  refuses("LimitExceeded", "more than 1 manifests", () => layout.walk({ manifests: 1 }));
  layout.reads.length = 0;
  refuses("LimitExceeded", "the limit is 100", () => layout.walk({ manifestBytes: 100 }));
  assert.deepEqual(layout.reads, [], "a manifest over the limit was read");
});

Deno.test("what manifests have in common is counted and read once", () => {
  const layout = new TestLayout();
  const image = layout.image("one");
  const index = (k: number) =>
    layout.add(OCI_INDEX, { schemaVersion: 2, k, manifests: Array(500).fill(image) });
  layout.roots.push(index(1), index(2), ...Array(500).fill(image));
  assert.equal(layout.walk({ manifests: 3 }).manifests.size, 3);
  assert.equal(layout.reads.length, 3);
});

Deno.test("what is no manifest elsewhere is read where it is called one", () => {
  const layout = new TestLayout();
  const image = layout.image("one");
  layout.roots.push({ ...image, mediaType: LAYER }, image);
  assert.deepEqual([...layout.walk({ manifests: 1 }).manifests.keys()], [image.digest]);
});

Deno.test("a document that could be read as the other kind is refused", async (t) => {
  const cases: [string, string, (layout: TestLayout) => Record<string, unknown>, string][] = [
    [
      "a manifest with manifests",
      OCI_MANIFEST,
      (layout) => ({ schemaVersion: 2, layers: [], manifests: [layout.image("a")] }),
      "manifests: has no place",
    ],
    [
      "a manifest that calls itself an index",
      OCI_MANIFEST,
      () => ({ mediaType: OCI_INDEX }),
      "mediaType: is not",
    ],
    [
      "a manifest that calls itself a list",
      DOCKER_MANIFEST,
      () => ({ mediaType: DOCKER_LIST }),
      "mediaType: is not",
    ],
    [
      "an index with layers",
      OCI_INDEX,
      (layout) => ({ schemaVersion: 2, manifests: [], layers: [layout.add(LAYER, "l")] }),
      "layers: has no place",
    ],
    [
      "an index that calls itself a manifest",
      OCI_INDEX,
      () => ({ schemaVersion: 2, mediaType: OCI_MANIFEST, manifests: [] }),
      "mediaType: is not",
    ],
  ];
  for (const [name, mediaType, content, message] of cases) {
    await t.step(name, () => {
      const layout = new TestLayout();
      layout.roots.push(layout.add(mediaType, content(layout)));
      refuses("InvalidImageLayout", message, () => layout.walk());
    });
  }
  const empty = new TestLayout();
  empty.roots.push(
    empty.image("a", { manifests: [] }),
    empty.add(OCI_INDEX, { schemaVersion: 2, manifests: [], layers: null }),
  );
  assert.equal(empty.walk().manifests.size, 2);
});

Deno.test("annotations and types of all manifests together are bounded", () => {
  const layout = new TestLayout();
  const annotate = (k: number) =>
    layout.image(`${k}`, { annotations: { [`${k}`]: "x".repeat(3 << 20) } });
  layout.roots.push(annotate(1), annotate(2));
  assert.equal(layout.walk().manifests.size, 2);
  layout.roots.push(layout.image("3", { artifactType: "x".repeat(3 << 20) }));
  refuses("LimitExceeded", "more than 8388608 characters of annotations", () => layout.walk());
});

Deno.test("a document with too many values is refused before it is parsed", () => {
  for (const many of ["1,", "{},", "[[],\n", '"a":1,']) {
    const layout = new TestLayout();
    layout.roots.push(layout.add(OCI_MANIFEST, many.repeat(500_000)));
    refuses("LimitExceeded", "may hold more than 150000 values", () => layout.walk());
  }
});

Deno.test("index types are told from manifest types", () => {
  assert.deepEqual(
    [OCI_INDEX, DOCKER_LIST, OCI_MANIFEST, DOCKER_MANIFEST, ""].map(isIndexType),
    [true, true, false, false, false],
  );
});
