import { isDeepStrictEqual } from "node:util";
import type { Site } from "../../../../src/admission/mod.ts";
import { hostnamesMatch, isOciUrl, parseImageReference } from "../../../../src/refs/mod.ts";
import type { AdmissionCase, AdmissionQuestion, Json } from "./case.ts";
import type { Ask, Outcome, Wanted } from "./outcome.ts";
import { labelsOf } from "./selectors.ts";

/** Differences in sources, by the names that docs/zarf-differences.md has for them. */
export const SOURCE_DIFFERENCES = [
  "unreadable URL",
  "no URL",
  "no type",
  "no news",
  "trailing slash",
  "no reference",
  "digest in the URL",
  "cluster IP",
  "update with mTLS",
] as const;

type SourceDifference = typeof SOURCE_DIFFERENCES[number];

/** A question that Zarf is asked instead. */
interface Restated {
  readonly asked: AdmissionCase;
  readonly differences: readonly SourceDifference[];
}

/** What Holdfast has to make of an object of Flux or Argo CD. */
export async function wantedOfSource(one: AdmissionCase, site: Site, ask: Ask): Promise<Wanted> {
  const { kind, object } = one.request;
  if (kind.kind === "Secret" && labelsOf(object)["argocd.argoproj.io/secret-type"] === undefined) {
    return { wanted: { stored: object }, differences: ["no type"] };
  }
  const { asked, differences } = restated(one, site);
  const answer = await ask(asked);
  if ("stored" in answer) {
    const isLeft = answer.stored === asked.request.object;
    const stored = isLeft ? object : answer.stored;
    if (isLeft) return { wanted: { stored }, differences };
    const { changed, more } = corrected(one, stored, site);
    return { wanted: { stored: changed }, differences: [...differences, ...more] };
  }
  if (isController(one.request)) {
    return { wanted: { stored: one.request.object }, differences: [...differences, "no news"] };
  }
  const { wanted, differences: more } = await wantedOfRefused(asked, answer, ask, site);
  const isOriginal = "stored" in wanted && wanted.stored === asked.request.object;
  return {
    wanted: isOriginal ? { stored: one.request.object } : wanted,
    differences: [...differences, ...more],
  };
}

function restated(one: AdmissionCase, site: Site): Restated {
  switch (one.request.kind.kind) {
    case "HelmRepository":
      return restatedHelm(one);
    case "OCIRepository":
      return restatedOci(one, site);
    default:
      return { asked: one, differences: [] };
  }
}

function restatedHelm(one: AdmissionCase): Restated {
  const { url, type } = one.request.object["spec"] as { readonly url: string; type?: string };
  const shorter = url.replace(/\/+$/, "");
  if (type?.toLowerCase() !== "oci" || shorter === url) return { asked: one, differences: [] };
  return { asked: withSpec(one, { url: shorter }), differences: ["trailing slash"] };
}

/** The parts of an OCIRepository that matter here. */
interface OciSpec {
  readonly url: string;
  readonly ref?: { readonly tag?: string; readonly digest?: string; readonly semver?: string };
}

function restatedOci(one: AdmissionCase, { registry }: Site): Restated {
  const differences: SourceDifference[] = [];
  const { url, ref } = one.request.object["spec"] as unknown as OciSpec;
  let asked = one;
  if (ref === undefined) {
    differences.push("no reference");
    asked = withSpec(asked, { ref: {} });
  }
  const isHome = sameHost(registry?.serviceAddress, url);
  const isUpdate = one.request.operation === "UPDATE";
  const parsed = digestIn(url);
  const isPlain = ref?.tag === undefined && ref?.digest === undefined;
  if (parsed !== undefined && isPlain && !(isUpdate && isHome)) {
    differences.push("digest in the URL");
    const { name, digest } = parsed;
    asked = withSpec(asked, { url: name, ref: { ...ref, digest } });
  }
  if (!isUpdate && sameHost(registry?.clusterAddress, url)) {
    differences.push("cluster IP");
    asked = { ...asked, request: { ...asked.request, operation: "UPDATE" } };
  }
  return { asked, differences };
}

function digestIn(url: string): { readonly name: string; readonly digest: string } | undefined {
  try {
    const { digest } = parseImageReference(url);
    const [name = ""] = url.split("@");
    return digest === undefined ? undefined : { name: name.replace(/:[^:/]*$/, ""), digest };
  } catch {
    return undefined;
  }
}

function sameHost(address: string | undefined, url: string): boolean {
  try {
    return address !== undefined && hostnamesMatch(`oci://${address}`, url);
  } catch {
    return false;
  }
}

function withSpec(one: AdmissionCase, members: Json): AdmissionCase {
  const object = { ...one.request.object };
  const spec = { ...object["spec"] as Json, ...members };
  return { ...one, request: { ...one.request, object: { ...object, spec } } };
}

/** What Zarf's answer lacks for the object itself. */
function corrected(
  { request }: AdmissionCase,
  stored: Json,
  { registry }: Site,
): { readonly changed: Json; readonly more: readonly SourceDifference[] } {
  if (request.kind.kind !== "OCIRepository") return { changed: stored, more: [] };
  const before = request.object["spec"] as Json;
  const { ref, ...rest } = stored["spec"] as Json;
  const spec: Json = Object.keys(ref ?? {}).length === 0 && before["ref"] === undefined
    ? rest
    : { ...rest, ref };
  const url = before["url"] as string;
  const isUpdate = request.operation === "UPDATE" && sameHost(registry?.serviceAddress, url);
  if (!isUpdate || registry?.clientTls === undefined) {
    return { changed: { ...stored, spec }, more: [] };
  }
  const { insecure: _, ...secure } = spec;
  const own = before["insecure"] === undefined ? {} : { insecure: before["insecure"] };
  const certSecretRef = { name: "zarf-registry-client-tls" };
  const changed = { ...stored, spec: { ...secure, ...own, certSecretRef } };
  return { changed, more: ["update with mTLS"] };
}

async function wantedOfRefused(
  one: AdmissionCase,
  answer: Outcome,
  ask: Ask,
  site: Site,
): Promise<Wanted> {
  const { request } = one;
  const unchanged = { stored: request.object };
  switch (request.kind.kind) {
    case "HelmRepository":
    case "OCIRepository":
      return { wanted: answer, differences: [] };
    case "Secret": {
      const { url } = request.object["data"] as Json;
      return { wanted: unchanged, differences: [url === undefined ? "no URL" : "unreadable URL"] };
    }
    case "GitRepository":
      return { wanted: unchanged, differences: ["unreadable URL"] };
    default:
      return await withoutUnreadable(one, ask, site);
  }
}

/** Whether an update of what would be refused brings no other URL and reference. */
function isController({ kind, object, oldObject }: AdmissionQuestion): boolean {
  if (oldObject === undefined || !["HelmRepository", "OCIRepository"].includes(kind.kind)) {
    return false;
  }
  const parts = (one: Json) => {
    const { url, ref } = one["spec"] as Json;
    return [url, ref];
  };
  return isDeepStrictEqual(parts(object), parts(oldObject));
}

type Path = readonly (string | number)[];

/** The places of URLs in an object of Argo CD. */
function placesOf({ kind, object }: AdmissionQuestion): Path[] {
  const spec = object["spec"] as Readonly<Record<string, unknown>>;
  const list = (name: string) => (spec[name] as readonly Json[] | undefined ?? []).entries();
  switch (kind.kind) {
    case "Application":
      return [
        ...(spec["source"] === undefined ? [] : [["spec", "source", "repoURL"]]),
        ...[...list("sources")].map(([at]) => ["spec", "sources", at, "repoURL"]),
      ];
    case "ApplicationSet":
      return [...list("generators")].filter(([, one]) => one["git"] !== undefined)
        .map(([at]) => ["spec", "generators", at, "git", "repoURL"]);
    default:
      return [...list("sourceRepos")].map(([at]) => ["spec", "sourceRepos", at]);
  }
}

/**
 * Zarf refuses an object for one URL in it. Each is asked about alone, and then all that it takes: in
 * the place of the others stands one that leads to the site already.
 */
async function withoutUnreadable(one: AdmissionCase, ask: Ask, site: Site): Promise<Wanted> {
  const { request } = one;
  const places = placesOf(request);
  const unreadable: Path[] = [];
  for (const place of places) {
    const others = places.filter((other) => other !== place);
    const alone = others.reduce((object, other) => neutral(object, other, site), request.object);
    const answer = await ask({ ...one, request: { ...request, object: alone } });
    if ("refused" in answer) unreadable.push(place);
  }
  const readable = unreadable.reduce((object, at) => neutral(object, at, site), request.object);
  const answer = await ask({ ...one, request: { ...request, object: readable } });
  if ("refused" in answer) return { wanted: answer, differences: ["unreadable URL"] };
  const stored = unreadable.reduce(
    (object, at) => withValue(object, at, valueAt(request.object, at)) as Json,
    answer.stored,
  );
  return { wanted: { stored }, differences: ["unreadable URL"] };
}

function neutral(object: Json, place: Path, { registry, gitServer }: Site): Json {
  const url = String(valueAt(object, place));
  const home = isOciUrl(url)
    ? `oci://${registry?.serviceAddress}/neutral`
    : `${gitServer?.address ?? "https://example.com"}/neutral`;
  return withValue(object, place, home) as Json;
}

function valueAt(object: unknown, [first, ...rest]: Path): unknown {
  return first === undefined ? object : valueAt((object as Json)[first], rest);
}

function withValue(object: unknown, [first, ...rest]: Path, value: unknown): unknown {
  if (first === undefined) return value;
  const changed = withValue((object as Json)[first], rest, value);
  if (Array.isArray(object)) return object.with(Number(first), changed);
  return { ...object as Json, [first]: changed };
}
