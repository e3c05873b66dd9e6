import type { Site } from "../../../../src/admission/mod.ts";
import { transformImage } from "../../../../src/refs/mod.ts";
import type { AdmissionCase, AdmissionQuestion, Json } from "./case.ts";
import { type Ask, normalized, type Outcome, type Wanted } from "./outcome.ts";
import { labelsOf } from "./selectors.ts";

/** Differences in pods, by the names that docs/zarf-differences.md has for them. */
export const POD_DIFFERENCES = [
  "patched label",
  "mirror pod",
  "update",
  "moved image",
  "no image",
] as const;

type PodDifference = typeof POD_DIFFERENCES[number];

const LISTS = ["initContainers", "containers", "ephemeralContainers", "volumes"] as const;

/** What names an image: a container or a volume. */
interface User {
  readonly list: string;
  readonly item: Json;
  readonly image: unknown;
}

/** What Holdfast has to make of a pod. */
export async function wantedOfPod(
  one: AdmissionCase,
  { registryAddress }: Site,
  ask: Ask,
): Promise<Wanted> {
  const { request } = one;
  const metadata = request.object["metadata"] as Json;
  if ((metadata["annotations"] as Json)?.["kubernetes.io/config.mirror"] !== undefined) {
    return { differences: ["mirror pod"], wanted: { stored: request.object } };
  }
  const { differences, left } = leftAlone(request, registryAddress);
  if (differences.size === 0) return { differences: [], wanted: await ask(one) };
  const asked = askedAbout(one, left);
  const answer = await ask(asked);
  return { differences: [...differences], wanted: restored(request, left, asked, answer) };
}

/** What Holdfast does not look at in a pod, where Zarf does, and why. */
function leftAlone(request: AdmissionQuestion, registryAddress: string) {
  const differences = new Set<PodDifference>();
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
  return { differences, left };
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
): PodDifference | undefined {
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
function restored(
  { object, operation }: AdmissionQuestion,
  left: ReadonlySet<Json>,
  asked: AdmissionCase,
  zarf: Outcome,
): Outcome {
  if ("refused" in zarf) return zarf;
  // It opts out.
  if (zarf.stored === asked.request.object) return { stored: object };
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
