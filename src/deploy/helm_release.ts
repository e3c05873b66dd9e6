import { gunzipSync } from "node:zlib";
import * as v from "valibot";
import type { KubeClient } from "../kube/mod.ts";

/** The largest release that is unpacked, in bytes; its Secret has at most 1 MiB. */
const MAX_RELEASE = 64 << 20;

const HelmReleaseSchema = v.looseObject({
  manifest: v.optional(v.string(), ""),
  hooks: v.nullish(
    v.array(v.looseObject({
      manifest: v.optional(v.string(), ""),
      events: v.nullish(v.array(v.string()), []),
    })),
    [],
  ),
  config: v.nullish(v.record(v.string(), v.unknown()), {}),
  chart: v.looseObject({
    metadata: v.nullish(v.looseObject({ name: v.optional(v.string(), "") }), {}),
  }),
  apply_method: v.optional(v.string(), ""),
});

/**
 * A revision of a release as Helm keeps it (helm 4, pkg/release/v1/release.go): `manifest` is what was
 * applied, without hooks; `config` the values that were given; `apply_method` is `ssa` where the API
 * server merges and `csa`, or empty, where Helm did.
 */
export type HelmRelease = v.InferOutput<typeof HelmReleaseSchema>;

/** Reads a release from its JSON; undefined when it is none. */
export function parseRelease(json: string): HelmRelease | undefined {
  try {
    return v.parse(HelmReleaseSchema, JSON.parse(json));
  } catch {
    return undefined;
  }
}

const ReleaseDataSchema = v.looseObject({ data: v.looseObject({ release: v.string() }) });

/**
 * Reads a revision from Helm's Secret (helm 4, pkg/storage/driver/util.go: JSON, compressed, in
 * base64); undefined when it is gone or is not as Helm writes it.
 */
export async function loadRelease(
  kube: KubeClient,
  namespace: string,
  secret: string,
): Promise<HelmRelease | undefined> {
  const found = await kube.get({ apiVersion: "v1", kind: "Secret", namespace, name: secret });
  const parsed = v.safeParse(ReleaseDataSchema, found);
  return parsed.success ? unpackRelease(parsed.output.data.release) : undefined;
}

function unpackRelease(data: string): HelmRelease | undefined {
  try {
    const packed = Uint8Array.fromBase64(new TextDecoder().decode(Uint8Array.fromBase64(data)));
    return parseRelease(
      new TextDecoder().decode(gunzipSync(packed, { maxOutputLength: MAX_RELEASE })),
    );
  } catch {
    return undefined;
  }
}
