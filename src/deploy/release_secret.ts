import { gunzipSync, gzipSync } from "node:zlib";
import * as v from "valibot";
import type { KubeObject } from "../kube/mod.ts";

/** The largest release that is read, in bytes; a Secret holds 1 MiB of it compressed. */
const MAX_RELEASE = 64 << 20;

const SecretSchema = v.looseObject({ data: v.looseObject({ release: v.string() }) });
const ReleaseSchema = v.looseObject({
  info: v.looseObject({}),
  manifest: v.optional(v.string()),
});

/** A release as Helm keeps it, with all its fields (helm 4, pkg/release/v1/release.go). */
export type StoredRelease = v.InferOutput<typeof ReleaseSchema>;

/**
 * The JSON of the release in Helm's Secret: Helm's own base64 of gzip (helm 4,
 * pkg/storage/driver/util.go), in the API's base64; undefined when it is not as Helm writes it.
 */
export function releaseText(secret: KubeObject | undefined): string | undefined {
  const parsed = v.safeParse(SecretSchema, secret);
  if (!parsed.success) return undefined;
  try {
    const packed = Uint8Array.fromBase64(atob(parsed.output.data.release));
    return gunzipSync(packed, { maxOutputLength: MAX_RELEASE }).toString();
  } catch {
    return undefined;
  }
}

/** The release in Helm's Secret; undefined when it is none. */
export function storedRelease(secret: KubeObject | undefined): StoredRelease | undefined {
  try {
    return v.parse(ReleaseSchema, JSON.parse(releaseText(secret) ?? ""));
  } catch {
    return undefined;
  }
}

/** The `data` of the Secret of a release. */
export function releaseData(release: StoredRelease): { readonly release: string } {
  return { release: btoa(gzipSync(JSON.stringify(release), { level: 9 }).toString("base64")) };
}
