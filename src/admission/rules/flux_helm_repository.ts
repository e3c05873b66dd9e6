import * as v from "valibot";
import { RefError } from "../../refs/mod.ts";
import { setMembers } from "../json_patch.ts";
import { labelPatched, MetadataSchema, objectRule, type Question, Text } from "./object_rule.ts";
import { UNCHANGED, type Verdict } from "./rule.ts";
import { moveOciUrl, readOr, registryAccess } from "./sources.ts";

const Schema = v.looseObject({
  metadata: MetadataSchema,
  spec: v.looseObject({ url: Text, type: Text }),
});

/**
 * Flux HelmRepository of type `oci`: the site's registry with its pull secret (Zarf 0.84,
 * src/internal/agent/hooks/flux-helmrepo.go). Slashes at the end of the URL are dropped first, as Flux
 * drops them; Zarf refuses such a URL.
 */
export const fluxHelmRepositoryRule = objectRule({
  path: "/mutate/flux-helmrepository",
  kind: "HelmRepository",
  schema: Schema,
  judge,
});

function judge({ object, before, site }: Question<v.InferOutput<typeof Schema>>): Verdict {
  const { metadata, spec } = object;
  const { registry } = site;
  if (registry === undefined || spec.type.toLowerCase() !== "oci" || spec.url === "") {
    return UNCHANGED;
  }
  const url = readOr(() => moveOciUrl(spec.url.replace(/\/+$/, ""), registry));
  if (url instanceof RefError) {
    // Who only lets go of the object, as Flux does before it is deleted, must not be stopped.
    if (before?.spec.url === spec.url) return UNCHANGED;
    const name = JSON.stringify(metadata.name);
    return { allowed: false, message: `HelmRepository ${name}: spec.url: ${url.message}` };
  }
  const patch = setMembers(["spec"], spec, { url, ...registryAccess(registry) });
  return { allowed: true, patch: [...patch, ...labelPatched(object)] };
}
