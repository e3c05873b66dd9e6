import * as v from "valibot";
import { RefError, transformImage } from "../../refs/mod.ts";
import { addEntries, type PatchOperation, pointer } from "../json_patch.ts";
import type { AdmissionRequest, Rule, RuleContext, Verdict } from "../review.ts";

const map = v.nullish(v.record(v.string(), v.string()));
const container = v.object({ name: v.string(), image: v.optional(v.string(), "") });
const containers = v.nullish(v.array(container), []);

/** The parts of a Pod (core/v1) that are read. */
const PodSchema = v.object({
  metadata: v.nullish(v.object({
    labels: map,
    annotations: map,
    deletionTimestamp: v.nullish(v.string()),
  })),
  spec: v.object({
    containers,
    initContainers: containers,
    ephemeralContainers: containers,
    volumes: v.nullish(
      v.array(v.object({
        name: v.string(),
        image: v.nullish(v.object({ reference: v.optional(v.string(), "") })),
      })),
      [],
    ),
    imagePullSecrets: v.nullish(v.array(v.object({ name: v.optional(v.string(), "") }))),
  }),
});
type Pod = v.InferOutput<typeof PodSchema>;

/** The Secret that the kubelet pulls with (Zarf 0.84, src/internal/agent/hooks/pods.go). */
const PULL_SECRET = "private-registry";
/** What Zarf marks a changed pod with. */
const PATCHED_LABEL = "zarf-agent";
const PATCHED = "patched";
/** `ignore` and `skip` leave an object as it is. */
const AGENT_LABEL = "zarf.dev/agent";
const ANNOTATION_PREFIX = "zarf.dev/";
/** The longest name of an annotation after its prefix (apimachinery, util/validation). */
const MAX_ANNOTATION_NAME = 63;

/** Where a pod names an image. */
interface ImageField {
  /** `image` of a container, or `volume` of an image volume. */
  readonly type: "image" | "volume";
  readonly name: string;
  readonly pointer: string;
  readonly reference: string;
}

/**
 * Pods, as Zarf 0.84 changes them (src/internal/agent/hooks/pods.go), but for three things. A label
 * `zarf-agent=patched` does not exempt images that are not in the registry's form. An update changes
 * only the images that it brings, so that a pod that runs is not restarted by somebody's label; the
 * pull secrets, which the API server does not let change, stay. An image that is no reference is
 * refused with its container's name.
 */
export const podRule: Rule = {
  path: "/mutate/pod",
  review(request, context) {
    const pod = v.parse(PodSchema, request.object);
    switch (request.subResource) {
      case "":
        return reviewPod(request, pod, context);
      case "ephemeralcontainers":
        return reviewEphemeral(request, pod, context);
      default:
        return { allowed: true, patch: [] };
    }
  },
};

function reviewPod(request: AdmissionRequest, pod: Pod, context: RuleContext): Verdict {
  const { labels, deletionTimestamp } = pod.metadata ?? {};
  const optedOut = ["ignore", "skip"].includes(labels?.[AGENT_LABEL] ?? "");
  if (optedOut || deletionTimestamp != null) return { allowed: true, patch: [] };
  const creating = request.operation === "CREATE";
  const fields = creating ? imagesOf(pod) : newImages(imagesOf(pod), imagesBefore(request));
  const rewritten = rewrite(fields, context);
  if ("message" in rewritten) return { allowed: false, message: rewritten.message };
  const { changes } = rewritten;
  const isNew = creating && labels?.[PATCHED_LABEL] !== PATCHED;
  if (changes.length === 0 && !isNew) return { allowed: true, patch: [] };
  const patch = [
    ...(creating ? pullSecret(pod) : []),
    ...changes,
    ...marks(
      pod,
      fields.filter((each) => isChanged(each, changes) || isNew && isUnmarked(each, pod)),
    ),
  ];
  return { allowed: true, patch };
}

/** Of this subresource the API server takes the ephemeral containers alone. */
function reviewEphemeral(request: AdmissionRequest, pod: Pod, context: RuleContext): Verdict {
  const before = request.oldObject == null ? undefined : v.parse(PodSchema, request.oldObject);
  const fields = newImages(
    ephemeralImages(pod),
    before === undefined ? [] : ephemeralImages(before),
  );
  const rewritten = rewrite(fields, context);
  if ("message" in rewritten) return { allowed: false, message: rewritten.message };
  const { changes } = rewritten;
  if (changes.length === 0) return { allowed: true, patch: [] };
  const annotations = annotationsOf(fields);
  const patch = [...changes, ...metadataEntries(pod, "annotations", annotations)];
  return { allowed: true, patch };
}

function imagesOf(pod: Pod): ImageField[] {
  const { initContainers, containers, volumes } = pod.spec;
  return [
    ...containerImages("initContainers", initContainers),
    ...containerImages("containers", containers),
    ...(volumes ?? []).map(({ name, image }, index): ImageField => ({
      type: "volume",
      name,
      pointer: pointer("spec", "volumes", index, "image", "reference"),
      reference: image?.reference ?? "",
    })),
  ].filter(hasImage);
}

function ephemeralImages(pod: Pod): ImageField[] {
  return containerImages("ephemeralContainers", pod.spec.ephemeralContainers).filter(hasImage);
}

function containerImages(
  list: "initContainers" | "containers" | "ephemeralContainers",
  items: Pod["spec"]["containers"],
): ImageField[] {
  return (items ?? []).map(({ name, image }, index) => ({
    type: "image",
    name,
    pointer: pointer("spec", list, index, "image"),
    reference: image,
  }));
}

/** Without an image the API server itself has the better words. */
function hasImage({ reference }: ImageField): boolean {
  return reference !== "";
}

function imagesBefore(request: AdmissionRequest): ImageField[] {
  return request.oldObject == null ? [] : imagesOf(v.parse(PodSchema, request.oldObject));
}

function newImages(fields: readonly ImageField[], before: readonly ImageField[]): ImageField[] {
  const known = new Set(before.map(({ type, name, reference }) => `${type}/${name}/${reference}`));
  return fields.filter(({ type, name, reference }) => !known.has(`${type}/${name}/${reference}`));
}

function rewrite(
  fields: readonly ImageField[],
  { registryAddress }: RuleContext,
): { readonly changes: PatchOperation[] } | { readonly message: string } {
  const changes: PatchOperation[] = [];
  for (const { type, name, pointer: path, reference } of fields) {
    try {
      const value = transformImage(registryAddress, reference);
      if (value !== reference) changes.push({ op: "replace", path, value });
    } catch (error) {
      if (!(error instanceof RefError)) throw error;
      return { message: `${type === "image" ? "container" : "volume"} ${name}: ${error.message}` };
    }
  }
  return { changes };
}

function isChanged({ pointer: path }: ImageField, changes: readonly PatchOperation[]): boolean {
  return changes.some((change) => change.path === path);
}

/** An image that was in the registry's form already may carry the annotation of an earlier life. */
function isUnmarked(field: ImageField, pod: Pod): boolean {
  const [name = ""] = Object.keys(annotationsOf([field]));
  return pod.metadata?.annotations?.[name] === undefined;
}

/** What was there is replaced, as Zarf does: every image now comes from the one registry. */
function pullSecret(pod: Pod): PatchOperation[] {
  const present = pod.spec.imagePullSecrets ?? [];
  if (present.length === 1 && present[0]?.name === PULL_SECRET) return [];
  return [{ op: "add", path: "/spec/imagePullSecrets", value: [{ name: PULL_SECRET }] }];
}

function marks(pod: Pod, fields: readonly ImageField[]): PatchOperation[] {
  // Two `add` of an absent parent would lose the first.
  const base: PatchOperation[] = pod.metadata == null
    ? [{ op: "add", path: "/metadata", value: {} }]
    : [];
  return [
    ...base,
    ...metadataEntries(pod, "labels", { [PATCHED_LABEL]: PATCHED }),
    ...metadataEntries(pod, "annotations", annotationsOf(fields)),
  ];
}

function metadataEntries(
  pod: Pod,
  map: "labels" | "annotations",
  wanted: Readonly<Record<string, string>>,
): PatchOperation[] {
  return addEntries(pointer("metadata", map), pod.metadata?.[map], wanted);
}

/** `zarf.dev/original-image-<container>` and `zarf.dev/original-volume-<volume>`: what was there. */
function annotationsOf(fields: readonly ImageField[]): Record<string, string> {
  return Object.fromEntries(fields.map(({ type, name, reference }) => {
    const short = `original-${type}-${name}`.slice(0, MAX_ANNOTATION_NAME).replace(/-+$/, "");
    return [ANNOTATION_PREFIX + short, reference];
  }));
}
