/**
 * Which objects of an API server a request is about.
 *
 * @module
 */
import type { KubeObject } from "../../src/kube/mod.ts";

/** An object, looked at without its type. */
// deno-lint-ignore no-explicit-any
export type AnyObject = KubeObject & Record<string, any>;

/** Where a request goes. */
export interface Target {
  /** `/api/v1` or `/apis/<group>/<version>`. */
  readonly group: string;
  readonly plural: string;
  readonly namespace?: string;
  readonly name?: string;
}

/** Under which an object is kept: group, plural, namespace and name. */
export function keyOf({ group, plural, namespace = "", name = "" }: Target): string {
  return `${group}|${plural}|${namespace}|${name}`;
}

/** Where an object is. */
export function targetOf({ apiVersion, kind, metadata }: KubeObject): Target {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const { namespace, name = "" } = metadata;
  const plural = `${kind.toLowerCase()}s`;
  return { group, plural, name, ...(namespace === undefined ? {} : { namespace }) };
}

/** Where a request for this path goes; undefined where there is nothing. */
export function targetOfPath(path: string): Target | undefined {
  const [, group = "", rest = ""] = /^(\/api\/v1|\/apis\/[^/]+\/[^/]+)\/(.+)$/.exec(path) ?? [];
  const parts = rest.split("/").map(decodeURIComponent);
  const namespaced = parts[0] === "namespaces" && parts.length > 2;
  const [plural = "", name] = namespaced ? parts.slice(2) : parts;
  if (group === "" || plural === "") return undefined;
  return {
    group,
    plural,
    ...(namespaced && parts[1] !== undefined ? { namespace: parts[1] } : {}),
    ...(name === undefined ? {} : { name }),
  };
}

/** Whether a list or a watch asks for an object. */
export function isChosen(
  key: string,
  object: AnyObject,
  target: Target,
  query: URLSearchParams,
): boolean {
  const [group, plural, namespace] = key.split("|");
  if (group !== target.group || plural !== target.plural) return false;
  if (target.namespace !== undefined && target.namespace !== namespace) return false;
  const { labels = {}, name } = object.metadata;
  const fields: Record<string, unknown> = {
    "metadata.name": name,
    "status.phase": object.status?.phase,
    "spec.signerName": object["spec"]?.signerName,
    "involvedObject.uid": object["involvedObject"]?.uid,
  };
  return requirements(query.get("labelSelector")).every((one) => isMet(one, labels)) &&
    requirements(query.get("fieldSelector")).every((one) => isMet(one, fields));
}

/** The parts of a selector: commas within brackets part nothing. */
function requirements(selector: string | null): string[] {
  return (selector ?? "").split(/,(?![^(]*\))/).filter(Boolean);
}

/** `a=b`, `a!=b`, `a in (b,c)`, `a notin (b,c)` or `a`. */
function isMet(requirement: string, values: Readonly<Record<string, unknown>>): boolean {
  const [, key = "", operator, list = ""] =
    /^([^\s=!]+)\s*(=|!=|in|notin)?\s*\(?([^)]*)\)?$/.exec(requirement) ?? [];
  if (operator === undefined) return key in values;
  const isIn = key in values && list.split(",").includes(String(values[key]));
  return operator === "=" || operator === "in" ? isIn : !isIn;
}
