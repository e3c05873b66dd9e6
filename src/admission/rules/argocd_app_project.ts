import * as v from "valibot";
import { placesRule } from "./argocd_places.ts";
import { MetadataSchema, Text } from "./object_rule.ts";

const Schema = v.looseObject({
  metadata: MetadataSchema,
  spec: v.looseObject({ sourceRepos: v.nullish(v.array(Text), []) }),
});

/**
 * Argo CD AppProject: the repositories that it allows (Zarf 0.84,
 * src/internal/agent/hooks/argocd-appproject.go). What cannot be read stays without a word: most of it
 * are patterns as `*`. Zarf refuses a project with one that is no URL at all, as `!https://…`, or of a
 * registry, as `oci://…/*`.
 */
export const argocdAppProjectRule = placesRule({
  path: "/mutate/argocd-appproject",
  kind: "AppProject",
  schema: Schema,
  warns: false,
  placesOf: ({ spec: { sourceRepos } }) =>
    sourceRepos.map((url, at) => ({ path: ["spec", "sourceRepos", at], url })),
});
