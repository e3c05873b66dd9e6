import * as v from "valibot";
import { placesRule } from "./argocd_places.ts";
import { MetadataSchema, Text } from "./object_rule.ts";

const Generator = v.looseObject({ git: v.nullish(v.looseObject({ repoURL: Text })) });

const Schema = v.looseObject({
  metadata: MetadataSchema,
  spec: v.looseObject({ generators: v.nullish(v.array(Generator), []) }),
});

/**
 * Argo CD ApplicationSet: the repositories that its git generators read (Zarf 0.84,
 * src/internal/agent/hooks/argocd-applicationset.go). Those of its template are changed in the
 * Applications that come of it. As with these, a URL that cannot be read stays.
 */
export const argocdApplicationSetRule = placesRule({
  path: "/mutate/argocd-applicationset",
  kind: "ApplicationSet",
  schema: Schema,
  warns: true,
  placesOf: ({ spec: { generators } }) =>
    generators.flatMap(({ git }, at) =>
      git ? [{ path: ["spec", "generators", at, "git", "repoURL"], url: git.repoURL }] : []
    ),
});
