/**
 * The OCI distribution conformance suite against the compiled agent's node registry, with push switched off: the data
 * is a real package's image layout and an artifact that refers to one of its images.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { type Digest, digestOf, isDigest } from "../../src/std/mod.ts";
import { type DescriptorRecord, type ImageRecord, SEED_OWNER, Store } from "../../src/store/mod.ts";
import { LocalAgent } from "./support/local_agent.ts";

const LAYOUT = new URL("../fixtures/images-testdata/crane-oci-layout/images", import.meta.url)
  .pathname;
const REPOSITORY = "conformance/repo1";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

/** What the suite is told to read. */
interface Preset {
  readonly tags: readonly string[];
  readonly manifests: readonly Digest[];
  readonly blobs: readonly Digest[];
  readonly subject: Digest;
}

async function fill(store: Store): Promise<Preset> {
  const blobs: Digest[] = [];
  for (const { name } of Deno.readDirSync(`${LAYOUT}/blobs/sha256`)) {
    const digest = `sha256:${name}`;
    assert.ok(isDigest(digest));
    await store.blobs.write(digest, undefined, blobOf(digest));
    blobs.push(digest);
  }
  const index = JSON.parse(Deno.readTextFileSync(`${LAYOUT}/index.json`));
  const manifests: DescriptorRecord[] = index.manifests.map((
    { mediaType, digest, size }: DescriptorRecord,
  ) => ({ mediaType, digest, size }));
  const subject = manifests[0] ?? assert.fail("the fixture has no manifest");
  const artifact = await putArtifact(store, subject);
  const images = manifests.map((descriptor, at) => imageOf(descriptor, `v${at}`));
  store.records.putImages(SEED_OWNER, images, [...manifests, artifact], []);
  return {
    tags: images.map(({ tag }) => tag ?? ""),
    manifests: [...new Set([...manifests, artifact].map(({ digest }) => digest))],
    blobs,
    subject: subject.digest,
  };
}

async function* blobOf(digest: Digest): AsyncGenerator<Uint8Array> {
  yield await Deno.readFile(`${LAYOUT}/blobs/sha256/${digest.slice("sha256:".length)}`);
}

async function putArtifact(store: Store, subject: DescriptorRecord): Promise<DescriptorRecord> {
  const empty = new TextEncoder().encode("{}");
  const config = {
    mediaType: "application/vnd.oci.empty.v1+json",
    digest: digestOf(empty),
    size: empty.length,
  };
  const artifactType = "application/vnd.holdfast.test";
  const content = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    artifactType,
    config,
    layers: [config],
    subject,
  };
  const bytes = new TextEncoder().encode(JSON.stringify(content));
  const digest = digestOf(bytes);
  await store.blobs.write(config.digest, empty.length, new Blob([empty]).stream());
  await store.blobs.write(digest, bytes.length, new Blob([bytes]).stream());
  return { mediaType: MANIFEST, digest, size: bytes.length, artifactType, subject: subject.digest };
}

function imageOf(descriptor: DescriptorRecord, tag: string): ImageRecord {
  const reference = `docker.io/${REPOSITORY}:${tag}`;
  return { reference, host: "docker.io", repository: REPOSITORY, tag, descriptor };
}

/** Runs the suite and returns what it says of each test, as `name: verdict` lines. */
async function runSuite(
  tool: string,
  registry: string,
  results: string,
  preset: Preset,
): Promise<string[]> {
  const { stdout } = await new Deno.Command(tool, {
    clearEnv: true,
    cwd: results,
    env: {
      HOME: results,
      OCI_REGISTRY: registry,
      OCI_TLS: "disabled",
      OCI_REPO1: REPOSITORY,
      OCI_RESULTS_DIR: results,
      OCI_API_PUSH: "false",
      OCI_API_BLOBS_DELETE: "false",
      OCI_API_MANIFESTS_DELETE: "false",
      OCI_API_TAGS_DELETE: "false",
      // The same for manifests cannot be asked: with preset data the suite does not look at their
      // responses and misses any header (its ManifestHeadExists). The handler's own tests do.
      OCI_API_BLOBS_DIGEST_HEADER: "true",
      OCI_RO_DATA_TAGS: preset.tags.join(" "),
      OCI_RO_DATA_MANIFESTS: preset.manifests.join(" "),
      OCI_RO_DATA_BLOBS: preset.blobs.join(" "),
      OCI_RO_DATA_REFERRERS: preset.subject,
    },
  }).output();
  // The exit code says nothing: the suite's report writer panics when push is off.
  const text = new TextDecoder().decode(stdout);
  return text.split("\n").filter((line) => /^ *OCI Conformance Test.*: \w+$/.test(line))
    .map((line) => line.trim().replace("OCI Conformance Test", "").replace(/^\//, ""));
}

function count(lines: readonly string[], line: string): number {
  return lines.filter((each) => each === line).length;
}

Deno.test("the node registry passes the OCI conformance suite with preset data", async () => {
  await using agent = new LocalAgent();
  const results = `${agent.directory}/results`;
  await Deno.mkdir(results);
  const store = Store.open(agent.dataDir);
  const preset = await fill(store).finally(() => store.close());
  await agent.started();
  const tool = await ensureTool(TOOLS.conformance);
  const lines = await runSuite(tool, agent.addresses.registry, results, preset);
  assert.deepEqual(lines.filter((line) => !/: (Pass|Disabled)$/.test(line)), []);
  for (
    const [test, times] of [
      ["ping", 1],
      ["empty/referrers", 1],
      ["read-only/tag-list", 1],
      ["read-only/head/manifest-head-by-tag", preset.tags.length],
      ["read-only/head/manifest-head-by-digest", preset.manifests.length],
      ["read-only/head/blob-head", preset.blobs.length],
      ["read-only/pull/manifest-by-tag", preset.tags.length],
      ["read-only/pull/manifest-by-digest", preset.manifests.length],
      ["read-only/pull/blob-get", preset.blobs.length],
      ["read-only/referrers", 1],
      ["missing-manifest/by-digest", 1],
      ["missing-manifest/by-tag", 1],
      ["invalid-digest-format/manifest-get", 1],
    ] as const
  ) {
    assert.equal(count(lines, `${test}: Pass`), times, `${test}\n${lines.join("\n")}`);
  }
});
