import * as v from "valibot";
import { RefError, transformImage } from "../../refs/mod.ts";
import { PULL_SECRET } from "../../zarf/mod.ts";
import { type PatchOperation, setAt, setEntries } from "../json_patch.ts";
import { isOptedOut } from "../policy.ts";
import type { AdmissionRequest } from "../review.ts";
import type { Site } from "../site.ts";
import { UNCHANGED, type Verdict } from "./rule.ts";

/** Says that the webhook has changed a pod. Zarf's agent leaves such pods alone. */
export const PATCHED_LABEL = "zarf-agent";
/** The value of {@linkcode PATCHED_LABEL}. */
export const PATCHED = "patched";
/** On a mirror pod: the kubelet runs it from a file, whatever the API server says. */
const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";
/** The longest name of an annotation after its prefix (apimachinery, util/validation). */
const MAX_ANNOTATION_NAME = 63;
/** The subresource that `kubectl debug` writes to. */
const EPHEMERAL = "ephemeralcontainers";

const StringMap = v.nullish(v.record(v.string(), v.string()));
const Containers = v.nullish(v.array(
  v.looseObject({ name: v.optional(v.string(), ""), image: v.optional(v.string(), "") }),
));

const PodSchema = v.looseObject({
  metadata: v.looseObject({ labels: StringMap, annotations: StringMap }),
  spec: v.looseObject({
    initContainers: Containers,
    containers: Containers,
    ephemeralContainers: Containers,
    volumes: v.nullish(v.array(v.looseObject({
      name: v.optional(v.string(), ""),
      image: v.nullish(v.looseObject({ reference: v.optional(v.string(), "") })),
    }))),
    imagePullSecrets: v.nullish(v.array(v.looseObject({ name: v.optional(v.string()) }))),
  }),
});

type Pod = v.InferOutput<typeof PodSchema>;

/** One place in a pod that names an image. */
interface ImageUse {
  /** What a person calls it, unique in the pod. */
  readonly title: string;
  readonly path: readonly (string | number)[];
  readonly image: string;
  /** The annotation that keeps the name as it was. */
  readonly annotation: string;
}

/**
 * Pods: every image comes from the registry, with its pull secret (Zarf 0.84,
 * src/internal/agent/hooks/pods.go). Where it differs from Zarf:
 *
 * - A label `zarf-agent: patched` that came with the pod does not exempt it.
 * - What is already as it should be is not touched, so that nothing is overwritten when another
 *   webhook makes the API server ask again.
 * - An update changes only images that the update itself changes. Pull secrets of a pod are
 *   immutable; Zarf sets them all the same, and updates of older pods fail.
 * - Mirror pods stay: their images are not the API server's to choose, and a node may not name
 *   Secrets in them.
 */
export const podRule = { path: "/mutate/pod", kind: "Pod", judge } as const;

function judge(request: AdmissionRequest, site: Site): Verdict {
  const { operation, subResource } = request;
  const isEphemeral = subResource === EPHEMERAL;
  const isUpdate = operation === "UPDATE";
  if (!(isUpdate || operation === "CREATE") || !(isEphemeral || subResource === "")) {
    return UNCHANGED;
  }
  const pod = v.parse(PodSchema, request.object);
  if (isExempt(pod)) return UNCHANGED;
  const before = new Map(
    isUpdate ? imagesOf(oldPod(request), isEphemeral).map((use) => [use.title, use.image]) : [],
  );
  // Of a container without an image the API server itself says what is wrong.
  const uses = imagesOf(pod, isEphemeral)
    .filter(({ title, image }) => image !== "" && before.get(title) !== image);
  try {
    return { allowed: true, patch: patchOf(pod, uses, { isUpdate, isEphemeral }, site) };
  } catch (error) {
    if (error instanceof NotAnImage) return { allowed: false, message: error.message };
    throw error;
  }
}

function isExempt({ metadata: { labels, annotations } }: Pod): boolean {
  return isOptedOut(labels) || annotations?.[MIRROR_ANNOTATION] !== undefined;
}

function oldPod(request: AdmissionRequest): Pod {
  return v.parse(PodSchema, request.oldObject);
}

function imagesOf({ spec }: Pod, isEphemeral: boolean): ImageUse[] {
  const containers = (list: "initContainers" | "containers" | "ephemeralContainers") =>
    (spec[list] ?? []).map(({ name, image }, at): ImageUse => ({
      title: `container ${JSON.stringify(name)}`,
      path: ["spec", list, at, "image"],
      image,
      annotation: annotationOf("image", name),
    }));
  if (isEphemeral) return containers("ephemeralContainers");
  const volumes = (spec.volumes ?? []).flatMap(({ name, image }, at): ImageUse[] =>
    image === null || image === undefined ? [] : [{
      title: `volume ${JSON.stringify(name)}`,
      path: ["spec", "volumes", at, "image", "reference"],
      image: image.reference,
      annotation: annotationOf("volume", name),
    }]
  );
  return [...containers("initContainers"), ...containers("containers"), ...volumes];
}

function annotationOf(what: "image" | "volume", name: string): string {
  const full = `original-${what}-${name}`;
  return `zarf.dev/${full.slice(0, MAX_ANNOTATION_NAME).replace(/-+$/, "")}`;
}

/** A text in the place of an image that is none. */
class NotAnImage extends Error {}

function patchOf(
  pod: Pod,
  uses: readonly ImageUse[],
  { isUpdate, isEphemeral }: { readonly isUpdate: boolean; readonly isEphemeral: boolean },
  { registryAddress }: Site,
): PatchOperation[] {
  const moved = uses.flatMap((use) => {
    const image = imageAt(registryAddress, use);
    return image === use.image ? [] : [{ ...use, moved: image }];
  });
  if (isUpdate && moved.length === 0) return [];
  const { labels, annotations } = pod.metadata;
  return [
    ...(isUpdate ? [] : pullSecretOf(pod)),
    ...moved.map((use) => setAt(use.path, use.moved)),
    ...(isEphemeral
      ? []
      : setEntries(["metadata", "labels"], labels, { [PATCHED_LABEL]: PATCHED })),
    ...setEntries(
      ["metadata", "annotations"],
      annotations,
      Object.fromEntries(moved.map(({ annotation, image }) => [annotation, image])),
    ),
  ];
}

function imageAt(registryAddress: string, { title, image }: ImageUse): string {
  try {
    return transformImage(registryAddress, image);
  } catch (error) {
    if (!(error instanceof RefError)) throw error;
    throw new NotAnImage(`${title}: ${error.message}`, { cause: error });
  }
}

function pullSecretOf({ spec: { imagePullSecrets } }: Pod): PatchOperation[] {
  const isThere = imagePullSecrets?.length === 1 && imagePullSecrets[0]?.name === PULL_SECRET;
  return isThere ? [] : [setAt(["spec", "imagePullSecrets"], [{ name: PULL_SECRET }])];
}
