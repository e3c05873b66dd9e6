import { errorOfResponse, KubeError } from "./errors.ts";
import type { HttpReply } from "./transport.ts";
import type { DeleteOptions, KubeObject, ObjectRef, Patch, ResourceRef } from "./types.ts";

/** The content type of each kind of patch. */
export const PATCH_TYPES: Readonly<Record<Patch["type"], string>> = {
  merge: "application/merge-patch+json",
  json: "application/json-patch+json",
  strategic: "application/strategic-merge-patch+json",
};
/** JSON is YAML; this type is what server-side apply is asked for with. */
export const APPLY_TYPE = "application/apply-patch+yaml";

/** The headers of a request with a body of `contentType`, or without one. */
export function headersOf(
  accept: string,
  contentType: string | undefined,
): Readonly<Record<string, string>> {
  return { accept, ...(contentType === undefined ? {} : { "content-type": contentType }) };
}

/** A request's body: texts and bytes as they are, anything else as JSON. */
export function encode(body: unknown): string | Uint8Array {
  return typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
}

/** An answer's body: the JSON in it, else its text. */
export function decode(bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * The value in an answer of `KubeClient.request`.
 *
 * @param what What was asked, for example `GET /api/v1/pods`.
 * @throws {KubeError} when the answer is not a success. Its body may be anything: an overloaded API
 * server refuses with a plain text (apiserver, server/filters/maxinflight.go).
 */
export async function valueOfResponse(what: string, response: Response): Promise<unknown> {
  const value = decode(await response.bytes());
  if (response.ok) return value;
  throw errorOfResponse(what, response.status, response.headers.get("retry-after"), value);
}

/** An answer as `fetch` would have given it. */
export function responseOf({ status, headers, body }: HttpReply): Response {
  return new Response(body.length > 0 ? body as BodyInit : null, { status, headers });
}

/** `?a=b&c=d` of what is given; empty when nothing is. */
export function queryOf(values: Readonly<Record<string, string | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) query.set(name, value);
  }
  return query.size === 0 ? "" : `?${query}`;
}

/** The body of a deletion (meta/v1, DeleteOptions). */
export function deleteOptionsOf(options: DeleteOptions): Readonly<Record<string, unknown>> {
  return {
    apiVersion: "v1",
    kind: "DeleteOptions",
    propagationPolicy: options.propagationPolicy ?? "Background",
    preconditions: options.preconditions,
    gracePeriodSeconds: options.gracePeriodSeconds,
    dryRun: options.dryRun === true ? ["All"] : undefined,
  };
}

/** What identifies an object. @throws {KubeError} `Invalid` when it has no name. */
export function refOf(object: KubeObject): ObjectRef {
  const { apiVersion, kind, metadata } = object;
  const name = metadata.name ?? (metadata.generateName === undefined ? undefined : "");
  if (name === undefined) {
    throw new KubeError({ reason: "Invalid", message: `a ${kind} without a name cannot be sent` });
  }
  return {
    apiVersion,
    kind,
    name,
    ...(metadata.namespace === undefined ? {} : { namespace: metadata.namespace }),
  };
}

/**
 * A value of the API as an object. The items of a list carry neither version nor kind, they are
 * filled in.
 *
 * @throws {KubeError} `BadResponse` when it has no metadata.
 */
export function objectOf<T extends KubeObject>(value: unknown, ref: ResourceRef): T {
  if (typeof value === "object" && value !== null && "metadata" in value) {
    const { metadata } = value;
    if (typeof metadata === "object" && metadata !== null) {
      const { apiVersion, kind } = ref;
      return { apiVersion, kind, ...value, metadata } as unknown as T;
    }
  }
  throw new KubeError({
    reason: "BadResponse",
    message: `the API server's answer is not a ${ref.kind}`,
  });
}
