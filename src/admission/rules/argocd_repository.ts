import * as v from "valibot";
import { isOciUrl, RefError } from "../../refs/mod.ts";
import { decodeBase64, encodeBase64 } from "../../zarf/mod.ts";
import { setEntries } from "../json_patch.ts";
import type { Site } from "../site.ts";
import { labelPatched, MetadataSchema, objectRule, type Question, Text } from "./object_rule.ts";
import { UNCHANGED, type Verdict } from "./rule.ts";
import { isServed, moveUrl, readOr } from "./sources.ts";

/** Makes a Secret one of Argo CD's (Argo CD, common/common.go). */
const TYPE_LABEL = "argocd.argoproj.io/secret-type";
/** The values that say that a Secret is about repositories. */
const REPOSITORY_TYPES: readonly (string | undefined)[] = ["repository", "repo-creds"];

const Schema = v.looseObject({
  metadata: MetadataSchema,
  data: v.nullish(v.record(v.string(), Text), {}),
});

/**
 * Argo CD repository Secrets: URL and credentials of the site (Zarf 0.84,
 * src/internal/agent/hooks/argocd-repository.go). A Secret without a URL may be filled later, and one
 * that an update takes from Argo CD is none of ours: both stay. So does a URL that cannot be read,
 * which Zarf refuses: the prefix of a registry or a Helm repository's without a scheme are of use.
 */
export const argocdRepositoryRule = objectRule({
  path: "/mutate/argocd-repository",
  kind: "Secret",
  schema: Schema,
  judge,
});

function judge({ object, before, site }: Question<v.InferOutput<typeof Schema>>): Verdict {
  const { data, metadata } = object;
  if (!REPOSITORY_TYPES.includes(metadata.labels?.[TYPE_LABEL])) return UNCHANGED;
  const url = decodeBase64(data["url"] ?? "");
  if (url === undefined || url === "" || !isServed(url, site)) return UNCHANGED;
  const moved = readOr(() => moveUrl(url, site));
  if (moved instanceof RefError) {
    const isNews = before?.data["url"] !== data["url"];
    // The URL itself is not shown: in a Secret it may be one.
    const warning = "data.url and the credentials stay as they are: " +
      "it is no URL of a git repository or registry that can be moved";
    return { allowed: true, patch: [], warnings: isNews ? [warning] : [] };
  }
  const wanted = Object.entries({ url: moved, ...credentials(isOciUrl(url), site) })
    .map(([name, value]) => [name, encodeBase64(value)]);
  return {
    allowed: true,
    patch: [...setEntries(["data"], data, Object.fromEntries(wanted)), ...labelPatched(object)],
  };
}

function credentials(isOci: boolean, { registry, gitServer }: Site): Record<string, string> {
  const server = isOci ? registry : gitServer;
  if (server === undefined) return {};
  const { pullUsername: username, pullPassword: password } = server;
  if (!isOci || registry === undefined) return { username, password };
  const { clientTls, isInternal } = registry;
  const tls = clientTls === undefined
    ? {}
    : { tlsClientCertData: clientTls.cert, tlsClientCertKey: clientTls.key };
  const plain = isInternal && clientTls === undefined ? { insecureOCIForceHttp: "true" } : {};
  return { username, password, ...plain, ...tls };
}
