import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { dump } from "js-yaml";
import { parseDefinition, parseTrustedKeys } from "../../src/package/mod.ts";
import { sha256 } from "../fixtures/make_package.ts";
import { tarBytes } from "../fixtures/tar_writer.ts";
import { entriesOf, filesIn, filesOf, realFile, realTar, rehash, SPECS } from "./corpus.ts";
import { type Json, type JsonObject, mutateBytes, mutateJson, TEXTS } from "./mutate.ts";
import { refusalOf } from "./oracle.ts";
import type { Random } from "./random.ts";
import { readFuzzed } from "./read.ts";
import type { Target } from "./target.ts";

const SIGNED = filesOf(realTar("zarf-package-app-signed-amd64-1.0.0.tar.zst"));
const KEYS = parseTrustedKeys(realFile("app-signed.pub"));
const text = (bytes: Uint8Array | undefined) => new TextDecoder().decode(bytes);
const signedFile = (name: string) => SIGNED.get(name) ?? assert.fail(`no ${name}`);

/** Definitions as text: of the real zarf and of the generator. */
const DEFINITIONS = [
  ...["zarf-package-test-amd64-0.0.1.tar.zst", "zarf-package-app-chart-amd64-1.2.3.tar.zst"]
    .map((name) => text(filesOf(realTar(name)).get("zarf.yaml"))),
  ...SPECS.map((spec) => text(filesIn(entriesOf(spec)).get("zarf.yaml"))),
  text(SIGNED.get("zarf.yaml")),
];

/** What YAML has beyond JSON. */
const YAML_PARTS = [
  ...[
    "&a ",
    "*a",
    "<<: *a\n",
    "!!str ",
    "!!int ",
    "!!binary |\n  aGk=\n",
    "! ",
    "!<x> ",
    "? ",
    ": ",
  ],
  ...[
    "- ",
    "---\n",
    "...\n",
    "%YAML 1.2\n---\n",
    "%TAG ! tag:x,2000:\n---\n",
    "# ",
    "|\n  ",
    ">-\n  ",
  ],
  ...[
    "[",
    "]",
    "{",
    "}",
    ",",
    '"',
    "'",
    "\\",
    "\t",
    "\r\n",
    "\n",
    "  ",
    "\u2028",
    "\ufeff",
    "~",
    "0o7",
  ],
  ...["1_000", "0x_1", ".inf", "2026-01-01", "yes", "x: &a [*a]\n", "y: &b {c: *b}\n", "@", "`"],
];

/** zarf.yaml by itself. */
export const definition: Target = {
  name: "definition",
  generate(random) {
    const source = random.pick(DEFINITIONS);
    const yaml = random.percent(50) ? source : dumped(random, source);
    return random.percent(20)
      ? mutateBytes(random, Buffer.from(yaml))
      : Buffer.from(spliced(random, yaml));
  },
  async run(input) {
    let parsed: unknown;
    const refusal = await refusalOf(() => parsed = parseDefinition(input));
    if (refusal !== undefined) return refusal.reason;
    // It goes to another thread and into a record.
    assert.deepEqual(
      JSON.parse(JSON.stringify(structuredClone(parsed))),
      JSON.parse(JSON.stringify(parsed)),
    );
    return "accepted";
  },
};

/** The document with some values changed, in block or flow style. */
function dumped(random: Random, source: string): string {
  const { raw } = parseDefinition(Buffer.from(source));
  const value = mutateJson(random, raw);
  if (random.percent(30)) return JSON.stringify(value);
  return dump(value, { flowLevel: random.pick([-1, 1, 2, 3]), noRefs: random.percent(50) });
}

function spliced(random: Random, yaml: string): string {
  let result = yaml;
  for (let times = random.length(6); times > 0; times--) {
    const at = random.below(result.length + 1);
    const part = random.pick([...YAML_PARTS, ...TEXTS]).repeat(1 + random.length(200));
    result = result.slice(0, at) + part + result.slice(at + random.length(40));
  }
  return result;
}

const OCI = "application/vnd.oci.image.";

/** images/: documents that lie about each other in a package that is right around them. */
export const images: Target = {
  name: "images",
  generate(random) {
    const files = filesIn(entriesOf(SPECS[0] ?? {}));
    const blob = (mediaType: string, content: string): JsonObject => {
      const hex = sha256(content);
      if (!random.percent(3)) files.set(`images/blobs/sha256/${hex}`, Buffer.from(content));
      const size = random.percent(3) ? random.length(100) : Buffer.byteLength(content);
      return { mediaType, digest: `sha256:${hex}`, size };
    };
    const document = (mediaType: string, value: Json): JsonObject => {
      const changed = random.percent(15) ? mutateJson(random, value) : value;
      return blob(mediaType, JSON.stringify(changed));
    };
    const manifest = (): JsonObject => {
      const config = blob(`${OCI}config.v1+json`, JSON.stringify({ n: random.below(4) }));
      const layers = Array.from({ length: random.length(5) }, () => {
        return blob(`${OCI}layer.v1.tar+gzip`, `layer ${random.below(8)}`);
      });
      return document(`${OCI}manifest.v1+json`, { schemaVersion: 2, config, layers });
    };
    const list = (depth: number): JsonObject => {
      const manifests = Array.from({ length: random.length(5) }, () => {
        return depth > 0 && random.percent(30) ? list(depth - 1) : manifest();
      });
      return document(`${OCI}index.v1+json`, { schemaVersion: 2, manifests });
    };
    const roots = Array.from({ length: 1 + random.length(4) }, () => {
      return { ...(random.percent(50) ? manifest() : list(4)), ...named(random) };
    });
    const index: Json = { schemaVersion: 2, manifests: roots };
    const changed = random.percent(30) ? mutateJson(random, index) : index;
    files.set("images/index.json", Buffer.from(JSON.stringify(changed)));
    const marker = Buffer.from('{"imageLayoutVersion":"1.0.0"}');
    files.set("images/oci-layout", random.percent(3) ? mutateBytes(random, marker) : marker);
    return tarBytes(rehash(files));
  },
  async run(input) {
    return (await readFuzzed(input, { format: "tar" }))?.reason ?? "accepted";
  },
};

function named(random: Random): JsonObject {
  const names = ["docker.io/library/a:1", "ghcr.io/o/b:2", random.pick(TEXTS)];
  const key = random.pick([
    "org.opencontainers.image.ref.name",
    "org.opencontainers.image.base.name",
  ]);
  return random.percent(60) ? { annotations: { [key]: random.pick(names) } } : {};
}

/** What the reader says of a package whose signature does not stand in the way. */
const BEYOND_SIGNATURES = /^(accepted|InvalidDefinition|UnsupportedDefinition|AggregateMismatch)$/;

/** Signature files and the definition that a real key signed. */
export const signature: Target = {
  name: "signature",
  generate(random) {
    const yaml = signedFile("zarf.yaml");
    const bundle = signedFile("zarf.bundle.sig");
    const parsed: { messageSignature: { signature: string } } = JSON.parse(text(bundle));
    const legacy = Buffer.from(parsed.messageSignature.signature);
    const changed = (bytes: Uint8Array, share: number) =>
      random.percent(share) ? mutateBytes(random, bytes) : bytes;
    const bundles = [
      () => changed(bundle, 50),
      () => Buffer.from(JSON.stringify(mutateJson(random, JSON.parse(text(bundle))))),
      () =>
        Buffer.from(
          JSON.stringify({
            ...parsed,
            messageSignature: { signature: der(random, parsed.messageSignature.signature) },
          }),
        ),
    ];
    return tarBytes([
      { name: "checksums.txt", content: "\n" },
      ...(random.percent(70) ? [{ name: "zarf.bundle.sig", content: random.pick(bundles)() }] : []),
      ...(random.percent(40) ? [{ name: "zarf.yaml.sig", content: changed(legacy, 60) }] : []),
      { name: "zarf.yaml", content: changed(yaml, 40) },
    ]);
  },
  async run(input) {
    const reason = (await readFuzzed(input, { format: "tar", trust: KEYS }))?.reason ?? "accepted";
    // Nothing but the very bytes that were signed may come past the signature.
    if (BEYOND_SIGNATURES.test(reason)) {
      assert.deepEqual(filesOf(input).get("zarf.yaml"), signedFile("zarf.yaml"), reason);
    }
    return reason;
  },
};

/** Another encoding of the signature, or another signature. */
function der(random: Random, base64: string): string {
  return Buffer.from(mutateBytes(random, Buffer.from(base64, "base64"))).toString("base64");
}
