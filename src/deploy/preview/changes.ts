import { digestOf } from "../../std/mod.ts";
import { isRecord, sameJson, valueAt } from "./json.ts";

/** The longest text that is shown whole, in characters. */
const MAX_TEXT = 4_000;
/** How many changed fields of one object are told apart. */
export const MAX_CHANGES = 500;
/** What stands in the place of a secret. */
const HIDDEN = "***";

/** A field of an object that becomes another one. */
export interface FieldChange {
  /** `spec.template.spec.containers[web].image` */
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
  /** Both are left out where a value is secret. */
  readonly before?: unknown;
  readonly after?: unknown;
  /** Whether a value is secret. */
  readonly secret?: true;
}

/** What hides secrets in a text. */
export type Redact = (text: string) => string;

/** What the API server adds and changes by itself. */
const SERVER_METADATA = [
  ...["uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields"],
];
/** A copy of the whole object, secrets included (kubectl apply). */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";

/** An object without what the API server adds by itself. */
export function withoutServerFields(object: unknown): unknown {
  if (!isRecord(object)) return object;
  const { status: _, metadata, ...rest } = object;
  if (!isRecord(metadata)) return rest;
  const kept = Object.entries(metadata).filter(([key]) => !SERVER_METADATA.includes(key)).map((
    [key, value],
  ) =>
    key === "annotations" && isRecord(value) ? [key, withoutKey(value, LAST_APPLIED)] : [key, value]
  );
  return { ...rest, metadata: Object.fromEntries(kept) };
}

function withoutKey(record: Readonly<Record<string, unknown>>, key: string) {
  return Object.fromEntries(Object.entries(record).filter(([name]) => name !== key));
}

/**
 * The fields in which two versions of an object differ, in the order of their paths. Of a Secret the
 * keys are told and nothing of what they hold; of other objects no value that has a secret in it.
 */
export function changesOf(before: unknown, after: unknown, redact: Redact): FieldChange[] {
  const [one, other] = [withoutServerFields(before), withoutServerFields(after)];
  const found: FieldChange[] = [];
  compare(one, other, [], (path, before, after) => {
    const isSecret = isSecretField(other, path) || isSecretField(one, path);
    found.push(changeOf(pathText(path), before, after, isSecret, redact));
  });
  return found.sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}

/** What a Secret holds. */
function isSecretField(object: unknown, [first]: readonly string[]): boolean {
  const isSecret = valueAt(object, "kind") === "Secret" && valueAt(object, "apiVersion") === "v1";
  return isSecret && (first === "data" || first === "stringData");
}

/** An object as it may be shown: without what the server adds, and without secrets. */
export function withoutSecrets(object: unknown, redact: Redact): unknown {
  const plain = withoutServerFields(object);
  if (!isRecord(plain)) return plain;
  return Object.fromEntries(
    Object.entries(plain).map(([key, value]) => [
      key,
      isSecretField(plain, [key]) && isRecord(value)
        ? Object.fromEntries(Object.keys(value).map((name) => [name, HIDDEN]))
        : redacted(value, redact),
    ]),
  );
}

function redacted(value: unknown, redact: Redact): unknown {
  if (typeof value === "string") return redact(value);
  if (Array.isArray(value)) return value.map((each) => redacted(each, redact));
  if (!isRecord(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, redacted(each, redact)]),
  );
}

function changeOf(
  path: string,
  before: unknown,
  after: unknown,
  isSecret: boolean,
  redact: Redact,
): FieldChange {
  const change = before === undefined ? "added" : after === undefined ? "removed" : "changed";
  const [one, other] = [redacted(before, redact), redacted(after, redact)];
  // What was there before may be the secret of yesterday, which nobody knows any more.
  if (isSecret || !sameJson(one, before) || !sameJson(other, after)) {
    return { path, change, secret: true };
  }
  return {
    path,
    change,
    ...(before === undefined ? {} : { before: shortened(before) }),
    ...(after === undefined ? {} : { after: shortened(after) }),
  };
}

function shortened(value: unknown): unknown {
  if (typeof value === "string" && value.length > MAX_TEXT) {
    return `${value.slice(0, MAX_TEXT)}… (${value.length} characters, ${digestOf(value)})`;
  }
  if (Array.isArray(value)) return value.map(shortened);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, shortened(each)]));
}

/** Takes a path and the values before and after. */
type Differs = (path: readonly string[], before: unknown, after: unknown) => void;

function compare(
  before: unknown,
  after: unknown,
  path: readonly string[],
  differs: Differs,
): void {
  if (sameJson(before, after)) return;
  if (isRecord(before) && isRecord(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
    for (const key of keys) compare(before[key], after[key], [...path, key], differs);
  } else if (Array.isArray(before) && Array.isArray(after)) {
    compareLists(before, after, path, differs);
  } else differs(path, before, after);
}

function compareLists(
  before: readonly unknown[],
  after: readonly unknown[],
  path: readonly string[],
  differs: Differs,
): void {
  const key = LIST_KEYS.find((key) => identifies(before, key) && identifies(after, key));
  const [one, other] = [before, after].map((list) =>
    new Map(
      list.map((each, index) => [String(key === undefined ? index : valueAt(each, key)), each]),
    )
  );
  if (one === undefined || other === undefined) return;
  const names = new Set([...one.keys(), ...other.keys()]);
  for (const name of names) {
    compare(one.get(name), other.get(name), [...path, `[${name}]`], differs);
  }
  const order = [...one.keys()];
  const isMoved = names.size === one.size && names.size === other.size &&
    [...other.keys()].some((name, index) => name !== order[index]);
  if (isMoved) differs([...path, "[order]"], order, [...other.keys()]);
}

/** What the parts of lists are known by in the API. */
const LIST_KEYS = ["name", "mountPath", "containerPort", "port", "key", "ip", "type"];

/** Whether all parts of a list have the key, each with another value. */
function identifies(list: readonly unknown[], key: string): boolean {
  const values = list.map((each) => valueAt(each, key));
  return values.every((each) => ["string", "number"].includes(typeof each)) &&
    new Set(values).size === values.length;
}

function pathText(path: readonly string[]): string {
  return path.map((key, index) => {
    if (key.startsWith("[")) return key;
    if (!/^[\w$-]+$/.test(key)) return `[${JSON.stringify(key)}]`;
    return index === 0 ? key : `.${key}`;
  }).join("");
}
