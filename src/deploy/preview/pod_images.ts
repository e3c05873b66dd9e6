import { isRecord, valueAt } from "./json.ts";

/** Where workloads of every kind keep what their pods are like. */
const POD_SPECS = [
  ["spec"],
  ["spec", "template", "spec"],
  ["spec", "jobTemplate", "spec", "template", "spec"],
  ["template", "spec"],
];

/** The images that the pods of an object would run, as they are written there. */
export function podImages(object: unknown): string[] {
  return [
    ...new Set(POD_SPECS.flatMap((path) => {
      const spec = valueAt(object, ...path);
      return isRecord(spec) && Array.isArray(spec["containers"]) ? imagesOf(spec) : [];
    })),
  ];
}

function imagesOf(spec: Readonly<Record<string, unknown>>): string[] {
  const containers = ["initContainers", "containers", "ephemeralContainers"]
    .flatMap((key) => listOf(spec[key]).map((one) => valueAt(one, "image")));
  const volumes = listOf(spec["volumes"]).map((one) => valueAt(one, "image", "reference"));
  return [...containers, ...volumes].filter((image): image is string =>
    typeof image === "string" && image !== ""
  );
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
