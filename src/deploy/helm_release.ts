import * as v from "valibot";
import type { KubeClient } from "../kube/mod.ts";
import { releaseText } from "./release_secret.ts";

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

/** Reads a revision from Helm's Secret; undefined when it is gone or is not as Helm writes it. */
export async function loadRelease(
  kube: KubeClient,
  namespace: string,
  secret: string,
): Promise<HelmRelease | undefined> {
  const found = await kube.get({ apiVersion: "v1", kind: "Secret", namespace, name: secret });
  const text = releaseText(found);
  return text === undefined ? undefined : parseRelease(text);
}
