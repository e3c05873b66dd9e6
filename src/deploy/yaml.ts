import {
  type Document,
  eventsToAst,
  FAILSAFE_SCHEMA,
  loadAll,
  type MappingNode,
  type Node,
  parseEvents,
  present,
  YAML11_SCHEMA,
} from "js-yaml";
import * as v from "valibot";

/** A manifest as it is edited: parsed, but with every scalar as it was written. */
export type { Document, MappingNode, Node };

/**
 * Parses YAML so that it can be edited and written again without changing the meaning of anything
 * else: `yes` stays a plain `yes` and `"yes"` a quoted one, whatever either means to the reader, and
 * no number is rounded.
 */
export function parseDocuments(text: string): Document[] {
  return eventsToAst(parseEvents(text, {}), { source: text, schema: FAILSAFE_SCHEMA });
}

/** Writes one document with its `---`. */
export function printDocument(document: Document): string {
  const text = present([{ ...document, explicitStart: false, explicitEnd: false }], {
    schema: FAILSAFE_SCHEMA,
    lineWidth: -1,
    seqNoIndent: true,
  });
  return `---\n${text}`;
}

/** The value of a key in a mapping. */
export function entryOf(node: Node | null | undefined, key: string): Node | undefined {
  if (node?.kind !== "mapping") return undefined;
  return node.items.find((item) => item.key.kind === "scalar" && item.key.value === key)?.value;
}

/** The text of a scalar at a path of keys. */
export function scalarAt(node: Node | null, ...path: readonly string[]): string | undefined {
  let current: Node | null | undefined = node;
  for (const key of path) current = entryOf(current, key);
  return current?.kind === "scalar" ? current.value : undefined;
}

/** The mapping at a key, made if there is none (or only an empty value). */
export function mappingAt(parent: MappingNode, key: string): MappingNode {
  const found = entryOf(parent, key);
  if (found?.kind === "mapping") return found;
  const made: MappingNode = {
    kind: "mapping",
    tag: "tag:yaml.org,2002:map",
    tagged: false,
    style: parent.style,
    items: [],
  };
  setEntry(parent, key, made);
  return made;
}

/** Sets a key to a string, in quotes so that no reader takes it for anything else. */
export function setString(parent: MappingNode, key: string, value: string): void {
  setEntry(parent, key, scalar(value, 3));
}

/** Removes a key. */
export function removeEntry(parent: MappingNode, key: string): void {
  parent.items = parent.items.filter((item) =>
    item.key.kind !== "scalar" || item.key.value !== key
  );
}

function setEntry(parent: MappingNode, key: string, value: Node): void {
  const item = parent.items.find((item) => item.key.kind === "scalar" && item.key.value === key);
  if (item === undefined) parent.items.push({ key: scalar(key, 1), value });
  else item.value = value;
}

function scalar(value: string, style: 1 | 3): Node {
  return { kind: "scalar", tag: "tag:yaml.org,2002:str", tagged: false, style, value };
}

/** How many nodes one document may have once its aliases are written out. */
const MAX_NODES = 200_000;

/**
 * Writes out every alias of a document, so that editing one place changes no other.
 *
 * @throws {RangeError} when it becomes too large.
 */
export function expandAliases(document: Document): void {
  const anchors = new Map<string, Node>();
  let nodes = 0;
  const copy = (node: Node): Node => {
    if (++nodes > MAX_NODES) throw new RangeError("its aliases expand to too many nodes");
    if (node.kind === "alias") {
      const target = anchors.get(node.anchor);
      if (target === undefined) throw new RangeError(`its alias *${node.anchor} has no anchor`);
      return copy(target);
    }
    const { anchor, ...rest } = node;
    const plain: Node = rest.kind === "mapping"
      ? {
        ...rest,
        items: rest.items.map(({ key, value }) => ({ key: copy(key), value: copy(value) })),
      }
      : rest.kind === "sequence"
      ? { ...rest, items: rest.items.map(copy) }
      : rest;
    if (anchor !== undefined) anchors.set(anchor, plain);
    return plain;
  };
  if (document.contents !== null) document.contents = copy(document.contents);
}

const ObjectSchema = v.looseObject({
  apiVersion: v.string(),
  kind: v.string(),
  metadata: v.looseObject({
    name: v.string(),
    namespace: v.optional(v.string()),
    labels: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
    annotations: v.optional(v.nullable(v.record(v.string(), v.unknown()))),
  }),
});

/** A Kubernetes object as far as a deployment reads it. */
export type Manifest = v.InferOutput<typeof ObjectSchema>;

/**
 * The objects of rendered YAML, lists opened, with YAML 1.1's meaning of scalars, which is what Helm
 * and Kubernetes read. What is not an object is left out; the API server refuses it by name.
 */
export function readObjects(text: string): Manifest[] {
  return loadAll(text, { schema: YAML11_SCHEMA, json: true }).flatMap(flatten);
}

function flatten(document: unknown): Manifest[] {
  const list = v.safeParse(
    v.looseObject({ kind: v.pipe(v.string(), v.endsWith("List")), items: v.array(v.unknown()) }),
    document,
  );
  if (list.success) return list.output.items.flatMap(flatten);
  const parsed = v.safeParse(ObjectSchema, document);
  return parsed.success ? [parsed.output] : [];
}
