import * as v from "valibot";
import type { KubeClient, KubeObject } from "../kube/mod.ts";
import { oneLine } from "../std/mod.ts";

/** The longest event that is passed on, in characters. */
const MAX_MESSAGE = 400;

/** What a component of the cluster last said about an object. */
export interface Warning {
  /** `FailedCreate`, `FailedMount`, `Unhealthy`, `ProvisioningFailed` … */
  readonly reason: string;
  readonly message: string;
}

const text = v.optional(v.nullable(v.string()), "");
const EventSchema = v.looseObject({
  type: text,
  reason: text,
  message: text,
  lastTimestamp: text,
  eventTime: text,
  series: v.optional(v.nullable(v.looseObject({ lastObservedTime: text }))),
});
type Event = v.InferOutput<typeof EventSchema>;

/** Of these what is no warning counts as well: a claim that nobody can bind gets a Normal event. */
const ALL_EVENTS: ReadonlySet<string> = new Set(["PersistentVolumeClaim"]);

/** The newest warning about an object in its events; undefined where there is none. */
export async function lastWarning(
  kube: KubeClient,
  object: KubeObject,
): Promise<Warning | undefined> {
  const { uid, namespace } = object.metadata;
  if (!uid || !namespace) return undefined;
  const { items } = await kube.list(
    { apiVersion: "v1", kind: "Event", namespace },
    { fieldSelector: `involvedObject.uid=${uid}` },
  );
  const events = items.flatMap((item) => {
    const parsed = v.safeParse(EventSchema, item);
    return parsed.success ? [parsed.output] : [];
  }).filter(({ type }) => type === "Warning" || ALL_EVENTS.has(object.kind));
  const newest = events.toSorted((a, b) => timeOf(a) < timeOf(b) ? -1 : 1).at(-1);
  if (newest === undefined) return undefined;
  return { reason: newest.reason ?? "", message: oneLine(newest.message ?? "", MAX_MESSAGE) };
}

/** When it was last seen; RFC 3339 in UTC, which sorts as text. */
function timeOf({ series, lastTimestamp, eventTime }: Event): string {
  return series?.lastObservedTime || lastTimestamp || eventTime || "";
}
