import * as v from "valibot";

const LabelledSchema = v.looseObject({
  metadata: v.looseObject({
    labels: v.optional(v.nullable(v.record(v.string(), v.string()))),
  }),
});

/** Whether an object read from the API server is there and carries all of `labels`. */
export function hasLabels(object: unknown, labels: Readonly<Record<string, string>>): boolean {
  const parsed = v.safeParse(LabelledSchema, object);
  if (!parsed.success) return false;
  const present = parsed.output.metadata.labels ?? {};
  return Object.entries(labels).every(([name, value]) => present[name] === value);
}
