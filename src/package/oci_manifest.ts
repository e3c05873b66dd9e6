import { type Digest, digestOf } from "../std/mod.ts";
import { readDocuments } from "./documents.ts";
import { quote, textMap } from "./go_json.ts";
import { isRecord, type JsonObject } from "./json.ts";
import { migrate } from "./migrate.ts";
import { ZARF_PACKAGE } from "./zarf_config.ts";
import type { PackageFile } from "./types.ts";

/** The manifest under which `zarf package publish` would put a package into a registry. */
export interface OciManifest {
  /** What `zarf package inspect digest` prints. */
  readonly digest: Digest;
  /** The manifest itself, byte for byte. */
  readonly json: string;
}

const CONFIG_TYPE = "application/vnd.zarf.config.v1+json";
const LAYER_TYPE = "application/vnd.zarf.layer.v1.blob";
const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";
const ANNOTATION = "org.opencontainers.image.";
/** What Zarf writes where it cannot read the time: Go's zero time. */
const ZERO_TIME = "0001-01-01T00:00:00Z";
/**
 * The OCI manifest of a package as Zarf computes it from the files alone (Zarf 0.84,
 * src/pkg/packager/layout/oci.go computeManifest): zarf.yaml as JSON is the config, every file of the
 * archive a layer, sorted by digest.
 *
 * @param files All files of the archive.
 * @param zarfYaml The bytes of zarf.yaml, which must have been accepted.
 */
export function ociManifest(files: readonly PackageFile[], zarfYaml: Uint8Array): OciManifest {
  const { alpha, beta } = readDocuments(zarfYaml, zarfYaml.length);
  // What was written as v1beta1 is made into v1alpha1 when it is read, and has nothing to migrate.
  const definition = beta === undefined ? migrate(alpha) : alpha;
  const config = ZARF_PACKAGE.encode(definition);
  const layers = files.toSorted((a, b) => a.digest < b.digest ? -1 : 1).map((file) =>
    descriptor(LAYER_TYPE, file.digest, file.size, { [`${ANNOTATION}title`]: file.path })
  );
  const bytes = new TextEncoder().encode(config);
  const json = `{"schemaVersion":2,"mediaType":${quote(MANIFEST_TYPE)},` +
    `"config":${descriptor(CONFIG_TYPE, digestOf(bytes), bytes.length)},` +
    `"layers":[${layers.join(",")}],"annotations":${annotations(definition)}}`;
  return { digest: digestOf(json), json };
}

function descriptor(
  mediaType: string,
  digest: Digest,
  size: number,
  annotations?: Record<string, string>,
): string {
  const more = annotations === undefined ? "" : `,"annotations":${textMap.encode(annotations)}`;
  return `{"mediaType":${quote(mediaType)},"digest":${quote(digest)},"size":${size}${more}}`;
}

/** Zarf 0.84, layout/oci.go AnnotationsFromMetadata. */
function annotations(definition: JsonObject): string {
  const metadata = objectAt(definition, "metadata");
  const text = (key: string) => String(metadata[key] ?? "");
  const optional = ["url", "authors", "documentation", "source", "vendor"]
    .filter((key) => text(key) !== "")
    .map((key) => [`${ANNOTATION}${key}`, text(key)]);
  return textMap.encode({
    [`${ANNOTATION}title`]: text("name"),
    [`${ANNOTATION}description`]: text("description"),
    ...Object.fromEntries(optional),
    ...objectAt(metadata, "annotations"),
    [`${ANNOTATION}created`]: createdAt(String(objectAt(definition, "build")["timestamp"] ?? "")),
  });
}

/** Go's time.RFC1123Z, "Mon, 02 Jan 2006 15:04:05 -0700", in UTC. */
function createdAt(timestamp: string): string {
  const [, rest] = /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d? \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4})$/
    .exec(timestamp) ?? [];
  const at = Date.parse(rest ?? "");
  return Number.isNaN(at) ? ZERO_TIME : new Date(at).toISOString().replace(".000Z", "Z");
}

function objectAt(parent: JsonObject, key: string): JsonObject {
  const value = parent[key];
  return isRecord(value) ? value : {};
}
