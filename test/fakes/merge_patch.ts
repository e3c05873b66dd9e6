function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** JSON merge patch (RFC 7386). */
export function merge(into: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return patch;
  const merged: Record<string, unknown> = isRecord(into) ? { ...into } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

/** `object` without the fields that were applied before and are not applied any more. */
export function without(object: unknown, before: unknown, now: unknown): unknown {
  if (!isRecord(object) || !isRecord(before)) return object;
  const rest = { ...object };
  for (const [key, value] of Object.entries(before)) {
    if (!isRecord(now) || !(key in now)) delete rest[key];
    else rest[key] = without(rest[key], value, now[key]);
  }
  return rest;
}
