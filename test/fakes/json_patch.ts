/**
 * Applies a JSON patch (RFC 6902, `add`, `replace` and `remove`) as strictly as the RFC wants it: a
 * parent that is absent is an error, and so is replacing what is not there.
 *
 * @param lenient replaces members that are not there, as the API server does (evanphx/json-patch v4,
 * which asks a map for its member and takes none for an answer).
 */
export function applyPatch(
  document: unknown,
  patch: readonly { readonly op: string; readonly path: string; readonly value?: unknown }[],
  { lenient = false }: { readonly lenient?: boolean } = {},
): unknown {
  const root = { document: structuredClone(document) };
  for (const { op, path, value } of patch) {
    const keys = path.split("/").slice(1).map((each) =>
      each.replaceAll("~1", "/").replaceAll("~0", "~")
    );
    const last = keys.pop() ?? "document";
    let parent: unknown = path === "" ? root : root.document;
    for (const key of keys) parent = member(parent, key, path);
    const isMap = !Array.isArray(parent);
    const kind = lenient && isMap && op === "replace" ? "add" : op;
    change(parent, last, kind, structuredClone(value), path);
  }
  return root.document;
}

function member(parent: unknown, key: string, path: string): unknown {
  if (typeof parent !== "object" || parent === null || !Object.hasOwn(parent, key)) {
    throw new Error(`${path}: there is no ${key}`);
  }
  return (parent as Record<string, unknown>)[key];
}

function change(parent: unknown, key: string, op: string, value: unknown, path: string): void {
  if (typeof parent !== "object" || parent === null) throw new Error(`${path}: no parent`);
  if (op !== "add") member(parent, key, path);
  if (Array.isArray(parent)) {
    const index = key === "-" ? parent.length : Number(key);
    if (!(index >= 0 && index <= parent.length)) throw new Error(`${path}: not an index`);
    const inserted = op === "remove" ? [] : [value];
    parent.splice(index, op === "add" ? 0 : 1, ...inserted);
  } else if (op === "remove") delete (parent as Record<string, unknown>)[key];
  else (parent as Record<string, unknown>)[key] = value;
}
