import * as v from "valibot";
import { RefError } from "../../refs/mod.ts";
import { GIT_SECRET } from "../../zarf/mod.ts";
import { setMembers } from "../json_patch.ts";
import { labelPatched, MetadataSchema, objectRule, type Question, Text } from "./object_rule.ts";
import { UNCHANGED, type Verdict } from "./rule.ts";
import { moveGitUrl, readOr, staysWarning } from "./sources.ts";

const Schema = v.looseObject({
  metadata: MetadataSchema,
  spec: v.looseObject({ url: Text }),
});

/**
 * Flux GitRepository: the site's git server with its Secret (Zarf 0.84,
 * src/internal/agent/hooks/flux-gitrepo.go). A URL that Zarf's rule cannot read may still be one that
 * git can; Zarf refuses it, here it stays, with a warning.
 */
export const fluxGitRepositoryRule = objectRule({
  path: "/mutate/flux-gitrepository",
  kind: "GitRepository",
  schema: Schema,
  judge,
});

function judge({ object, before, site }: Question<v.InferOutput<typeof Schema>>): Verdict {
  const { spec } = object;
  const { gitServer } = site;
  if (gitServer === undefined || spec.url === "") return UNCHANGED;
  const url = readOr(() => moveGitUrl(spec.url, gitServer));
  if (url instanceof RefError) {
    const isNews = before?.spec.url !== spec.url;
    return { allowed: true, patch: [], warnings: isNews ? [staysWarning("spec.url", url)] : [] };
  }
  const patch = setMembers(["spec"], spec, { url, secretRef: { name: GIT_SECRET } });
  return { allowed: true, patch: [...patch, ...labelPatched(object)] };
}
