import * as v from "valibot";
import { placesRule } from "./argocd_places.ts";
import { MetadataSchema, Text } from "./object_rule.ts";

const Source = v.looseObject({ repoURL: Text });

const Schema = v.looseObject({
  metadata: MetadataSchema,
  spec: v.looseObject({ source: v.nullish(Source), sources: v.nullish(v.array(Source), []) }),
});

/**
 * Argo CD Application: its source and its sources (Zarf 0.84,
 * src/internal/agent/hooks/argocd-application.go). A URL that Zarf's rule cannot read may be one of a
 * Helm repository or of an SSH server; Zarf refuses it, here it stays, with a warning.
 */
export const argocdApplicationRule = placesRule({
  path: "/mutate/argocd-application",
  kind: "Application",
  schema: Schema,
  warns: true,
  placesOf: ({ spec: { source, sources } }) => [
    ...(source ? [{ path: ["spec", "source", "repoURL"], url: source.repoURL }] : []),
    ...sources.map(({ repoURL }, at) => ({
      path: ["spec", "sources", at, "repoURL"],
      url: repoURL,
    })),
  ],
});
