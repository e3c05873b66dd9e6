import type { KubeClient } from "./client.ts";
import { microTime } from "./time.ts";
import type { CallOptions, ObjectRef } from "./types.ts";

/** An Event to record (events.k8s.io/v1). */
export interface EventParts {
  /** What it is about; `uid` ties it to this incarnation. */
  readonly regarding: ObjectRef & { readonly uid?: string };
  /** CamelCase. */
  readonly reason: string;
  /** For people. Cut to what the API takes, 1,024 bytes. */
  readonly note: string;
  readonly type: "Normal" | "Warning";
  /** What was done. @default the reason */
  readonly action?: string;
  /** Which node's agent says so. @default "unknown" */
  readonly instance?: string;
  /** @default now */
  readonly at?: Date;
}

/** Who records (events.k8s.io/v1, reportingController). */
const CONTROLLER = "holdfast.dev/agent";
/** Where Events about what has no namespace go (client-go, tools/events). */
const DEFAULT_NAMESPACE = "default";
/** Limits of the API, in bytes (k8s.io/kubernetes, pkg/apis/core/validation/events.go). */
const MAX_NOTE = 1024;
const MAX_SHORT = 128;

/** Records an Event. @throws {KubeError} when the API server does not take it. */
export async function recordEvent(
  client: KubeClient,
  parts: EventParts,
  options: CallOptions = {},
): Promise<void> {
  const { regarding } = parts;
  const namespace = regarding.namespace ?? DEFAULT_NAMESPACE;
  await client.create({
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { namespace, name: `${regarding.name.slice(0, 200)}.${uniqueSuffix()}` },
    eventTime: microTime(parts.at ?? new Date()),
    reportingController: CONTROLLER,
    reportingInstance: cut(parts.instance ?? "unknown", MAX_SHORT),
    reason: cut(parts.reason, MAX_SHORT),
    action: cut(parts.action ?? parts.reason, MAX_SHORT),
    type: parts.type,
    note: cut(parts.note, MAX_NOTE),
    regarding,
  }, options);
}

function uniqueSuffix(): string {
  return crypto.getRandomValues(new Uint8Array(8)).toHex();
}

/** The longest beginning of a text that has at most `limit` bytes and whole characters. */
function cut(text: string, limit: number): string {
  const bytes = new Uint8Array(limit);
  const { read } = new TextEncoder().encodeInto(text, bytes);
  return text.slice(0, read);
}
