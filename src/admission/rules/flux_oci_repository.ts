import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import {
  hostnamesMatch,
  parseImageReference,
  RefError,
  transformImage,
  transformImageWithoutChecksum,
  zarfTag,
} from "../../refs/mod.ts";
import { setEntries, setMembers } from "../json_patch.ts";
import type { Site, SiteRegistry } from "../site.ts";
import { labelPatched, MetadataSchema, objectRule, type Question, Text } from "./object_rule.ts";
import { UNCHANGED, type Verdict } from "./rule.ts";
import { OCI, readOr, registryAccess } from "./sources.ts";

/** The config of a Helm chart: Flux looks for charts under their own tags. */
const CHART = "application/vnd.cncf.helm.config.v1+json";

const Schema = v.looseObject({
  metadata: MetadataSchema,
  spec: v.looseObject({
    url: Text,
    ref: v.nullish(v.looseObject({ tag: Text, digest: Text, semver: Text })),
  }),
});

type Spec = v.InferOutput<typeof Schema>["spec"];

/**
 * Flux OCIRepository: the site's registry with its pull secret, and the tag that the artifact has
 * there: a chart's own, of anything else Zarf's with the checksum (Zarf 0.84,
 * src/internal/agent/hooks/flux-ocirepo.go). Where it differs from Zarf:
 *
 * - A missing `spec.ref` is made; Zarf's patch cannot be applied then.
 * - An update adds no checksum to a tag that has it.
 * - A digest in the URL goes to `spec.ref`; Zarf drops it.
 * - The cluster IP of the registry is known on creation, too; Zarf adds a second checksum.
 * - An update with mTLS sets no `insecure`.
 * - The registry is asked only when the answer matters.
 */
export const fluxOciRepositoryRule = objectRule({
  path: "/mutate/flux-ocirepository",
  kind: "OCIRepository",
  schema: Schema,
  judge,
});

async function judge(
  { object, before, isUpdate, site }: Question<v.InferOutput<typeof Schema>>,
): Promise<Verdict> {
  const { metadata, spec } = object;
  const { registry } = site;
  if (registry === undefined || spec.url === "") return UNCHANGED;
  try {
    const { url, ref } = await move(spec, isUpdate, registry, site);
    return {
      allowed: true,
      patch: [
        ...setMembers(["spec"], spec, { url, ...registryAccess(registry) }),
        ...setEntries(["spec", "ref"], spec.ref, ref),
        ...labelPatched(object),
      ],
    };
  } catch (error) {
    if (!(error instanceof RefError)) throw error;
    // Who only lets go of the object, as Flux does before it is deleted, must not be stopped.
    if (before?.spec.url === spec.url && isDeepStrictEqual(before.spec.ref, spec.ref)) {
      return UNCHANGED;
    }
    const name = JSON.stringify(metadata.name);
    return {
      allowed: false,
      message: `OCIRepository ${name}: spec.url with spec.ref: ${error.message}`,
    };
  }
}

/** Where an artifact is found at the site. */
interface Moved {
  readonly url: string;
  /** What `spec.ref` has to hold. */
  readonly ref: Readonly<Record<string, string>>;
}

async function move(
  { url, ref }: Spec,
  isUpdate: boolean,
  registry: SiteRegistry,
  site: Site,
): Promise<Moved> {
  if (isUpdate && hostnamesMatch(OCI + registry.serviceAddress, url)) return { url, ref: {} };
  const image = imageAtSite(url, isUpdate ? withoutChecksum(url, ref) : ref, registry);
  const isSemver = (ref?.semver ?? "") !== "";
  // With a range of versions Flux chooses the tag itself.
  const needsTag = !isSemver && image.withChecksum !== image.plain;
  const isChart = needsTag && await site.configMediaType(image.withChecksum) === CHART;
  const { name, tag, digest } = parseImageReference(isChart ? image.plain : image.withChecksum);
  if (digest !== undefined) return { url: OCI + name, ref: { digest } };
  return { url: OCI + name, ref: isSemver || tag === undefined ? {} : { tag } };
}

/**
 * Who applies an object that names no tag leaves the one that was made for it beside the URL that it
 * applies: an update must not add the checksum to that again.
 */
function withoutChecksum(url: string, ref: Spec["ref"]): Spec["ref"] {
  if (!ref?.tag) return ref;
  const checksum = zarfTag({ ...parseImageReference(url), tag: "" }) ?? "";
  return ref.tag.endsWith(checksum) ? { ...ref, tag: ref.tag.slice(0, -checksum.length) } : ref;
}

/** The two names that an artifact may have at the site; they are the same for a digest. */
function imageAtSite(
  url: string,
  ref: Spec["ref"],
  { serviceAddress, clusterAddress }: SiteRegistry,
): { readonly withChecksum: string; readonly plain: string } {
  const ending = ref?.digest ? `@${ref.digest}` : ref?.tag ? `:${ref.tag}` : "";
  const plain = transformImageWithoutChecksum(serviceAddress, url + ending);
  // Go's parser takes `oci://name:tag` for a host with a bad port: it is none of the cluster's.
  const hasChecksum = clusterAddress !== undefined &&
    readOr(() => hostnamesMatch(OCI + clusterAddress, url)) === true;
  return {
    plain,
    withChecksum: hasChecksum ? plain : transformImage(serviceAddress, url + ending),
  };
}
