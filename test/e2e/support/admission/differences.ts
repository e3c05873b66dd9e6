import { transformImage } from "../../../../src/refs/mod.ts";
import type { AdmissionCase, AdmissionQuestion, Json } from "./case.ts";
import { normalized, type Outcome } from "./outcome.ts";
import { labelsOf } from "./selectors.ts";

/**
 * Differences that docs/zarf-differences.md tells of, by the names that they have there. Each is
 * stated as what Zarf says of another question.
 */
export const POD_DIFFERENCES = [
  "patched label",
  "mirror pod",
  "update",
  "moved image",
  "no image",
] as const;

/** One of {@linkcode POD_DIFFERENCES}. */
export type Difference = typeof POD_DIFFERENCES[number];

/** What Zarf is asked instead, and what its answer means for the object itself. */
export interface Restated {
  readonly differences: readonly Difference[];
  /** Absent where Holdfast leaves the object alone. */
  readonly asked?: AdmissionCase;
  readonly meant: (zarf: Outcome) => Outcome;
}

const LISTS = ["initContainers", "containers", "ephemeralContainers", "volumes"] as const;

/** What names an image: a container or a volume. */
interface User {
  readonly list: string;
  readonly item: Json;
  readonly image: unknown;
}

/**
 * Restates a question about a pod; undefined where Zarf and Holdfast have to say the same.
 *
 * @param registryAddress where the site's images come from.
 */
export function restatePod(one: AdmissionCase, registryAddress: string): Restated | undefined {
  const { request } = one;
  const differences = new Set<Difference>();
  const metadata = request.object["metadata"] as Json;
  if ((metadata["annotations"] as Json)?.["kubernetes.io/config.mirror"] !== undefined) {
    return unchanged(request, "mirror pod");
  }
  const isWhole = (request.subResource ?? "") === "";
  if (isWhole && labelsOf(request.object)["zarf-agent"] === "patched") {
    differences.add(request.operation === "CREATE" ? "patched label" : "update");
  }
  if (isWhole && request.operation === "UPDATE") differences.add("update");
  const left = new Set<Json>();
  for (const user of usersOf(request)) {
    const why = reasonToLeave(request, user, registryAddress);
    if (why === undefined) continue;
    differences.add(why);
    left.add(user.item);
  }
  if (differences.size === 0) return undefined;
  const asked = askedAbout(one, left);
  const meant = (zarf: Outcome): Outcome => {
    // Neither webhook is called, or the pod opts out.
    const isLeft = "stored" in zarf && zarf.stored === asked.request.object;
    return isLeft ? { stored: request.object } : restored(request, left, zarf);
  };
  return { differences: [...differences], asked, meant };
}

function unchanged({ object }: AdmissionQuestion, difference: Difference): Restated {
  return { differences: [difference], meant: () => ({ stored: object }) };
}

/** What names an image in the part of the pod that the question is about. */
function usersOf({ object, subResource = "" }: AdmissionQuestion): User[] {
  const lists = LISTS.filter((list) => (list === "ephemeralContainers") === (subResource !== ""));
  return lists.flatMap((list) => listOf(object, list).flatMap((item) => userOf(list, item)));
}

function listOf(pod: Json, list: string): readonly Json[] {
  return (pod["spec"] as Json)[list] as readonly Json[] | undefined ?? [];
}

function userOf(list: string, item: Json): User[] {
  if (list !== "volumes") return [{ list, item, image: item["image"] }];
  const source = item["image"] as Json | undefined;
  return source === undefined ? [] : [{ list, item, image: source["reference"] }];
}

/** Why Holdfast does not look at the image, where Zarf does. */
function reasonToLeave(
  { operation, oldObject, ...request }: AdmissionQuestion,
  { list, item, image }: User,
  registryAddress: string,
): Difference | undefined {
  if (image === undefined || image === "") return "no image";
  if (operation === "UPDATE" && oldObject !== undefined) {
    const before = usersOf({ ...request, operation, object: oldObject })
      .find((one) => one.list === list && one.item["name"] === item["name"]);
    if (before?.image === image) return "update";
  }
  return isAtHome(String(image), registryAddress) ? "moved image" : undefined;
}

/** Whether Zarf's own code leaves it, which zarf_transform_agrees_e2e_test.ts compares. */
function isAtHome(image: string, registryAddress: string): boolean {
  try {
    return transformImage(registryAddress, image) === image;
  } catch {
    return false;
  }
}

/** The same pod, new, without the label and without the users that are left alone. */
function askedAbout({ path, request }: AdmissionCase, left: ReadonlySet<Json>): AdmissionCase {
  const { object, oldObject: _, ...rest } = request;
  const spec = object["spec"] as Json;
  const lists = LISTS.filter((list) => spec[list] !== undefined)
    .map((list) => [list, listOf(object, list).filter((item) => !left.has(item))]);
  const metadata = object["metadata"] as Json;
  const isWhole = (request.subResource ?? "") === "";
  const labels = Object.fromEntries(
    Object.entries(labelsOf(object)).filter(([name]) => !isWhole || name !== "zarf-agent"),
  );
  const asked = {
    ...object,
    metadata: { ...metadata, labels },
    spec: { ...spec, ...Object.fromEntries(lists) },
  };
  return { path, request: { ...rest, operation: isWhole ? "CREATE" : "UPDATE", object: asked } };
}

/** The pod with what Zarf changed in the part that it was asked about. */
function restored(request: AdmissionQuestion, left: ReadonlySet<Json>, zarf: Outcome): Outcome {
  if ("refused" in zarf) return zarf;
  const { object, operation } = request;
  const isUpdate = operation === "UPDATE";
  const before = object["spec"] as Json;
  const after = zarf.stored["spec"] as Json;
  const lists = LISTS.filter((list) => before[list] !== undefined).map((list) => {
    const changed = [...after[list] as readonly Json[]];
    return [list, listOf(object, list).map((item) => left.has(item) ? item : changed.shift())];
  });
  const stored = { ...zarf.stored, spec: { ...after, ...Object.fromEntries(lists) } };
  if (!isUpdate) return { stored };
  // What an update does not bring stays, and so does a pod of which it brings nothing.
  const own = JSON.stringify(normalized({ stored: object })["spec"]);
  const secrets = { imagePullSecrets: before["imagePullSecrets"] };
  const spec = { ...stored.spec, ...secrets };
  if (JSON.stringify(normalized({ stored: { metadata: {}, spec } })["spec"]) === own) {
    return { stored: object };
  }
  return { stored: { ...stored, spec } };
}
