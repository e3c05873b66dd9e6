import * as v from "valibot";

const objectSchema = v.looseObject({});

const previewedSchema = v.object({
  role: v.picklist(["object", "hook", "crd"]),
  apiVersion: v.string(),
  kind: v.string(),
  namespace: v.exactOptional(v.string()),
  name: v.string(),
  target: v.exactOptional(objectSchema),
  before: v.exactOptional(objectSchema),
  after: v.exactOptional(objectSchema),
  notAsked: v.exactOptional(v.picklist(["kind", "namespace", "hook"])),
  refused: v.exactOptional(v.string()),
});

/**
 * What Helm would do with one object: of role `crd` if it lies in the chart's `crds`. `target` is what
 * Helm sends, `before` what is in the cluster, `after` what the API server says that it would be;
 * without `target` it is deleted. `notAsked` says why the server was not asked: its kind or namespace
 * is not there, or it is a hook, which is deleted before it is made again.
 */
export type PreviewedObject = v.InferOutput<typeof previewedSchema>;

const previewSchema = v.object({
  action: v.picklist(["install", "upgrade", ""]),
  revision: v.number(),
  pending: v.array(v.number()),
  objects: v.array(previewedSchema),
  error: v.exactOptional(v.string()),
});

/**
 * What Helm would do with a release. `action` is empty where it did not come that far, `revision` the
 * one that is deployed (0: none), `pending` those that a crash has left half done; `error` says why
 * Helm would fail.
 */
export type HelmPreview = v.InferOutput<typeof previewSchema>;

/** What `helm preview` has answered; undefined when it is not as expected. */
export function parsePreview(text: string): HelmPreview | undefined {
  try {
    return v.parse(previewSchema, JSON.parse(text));
  } catch {
    return undefined;
  }
}
