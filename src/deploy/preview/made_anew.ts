import { isRecord, sameJson } from "./json.ts";

/** Stands for what is another thing each time a chart is rendered. */
export const MADE_ANEW = "(made anew each time)";

/**
 * What two renderings of the same chart have in common: passwords, certificates and times that the
 * chart makes up are {@linkcode MADE_ANEW} in it.
 */
export function inCommon(one: unknown, other: unknown): unknown {
  if (sameJson(one, other)) return one;
  if (isRecord(one) && isRecord(other)) {
    const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
    return Object.fromEntries([...keys].map((key) => [key, inCommon(one[key], other[key])]));
  }
  if (Array.isArray(one) && Array.isArray(other) && one.length === other.length) {
    return one.map((each, index) => inCommon(each, other[index]));
  }
  return MADE_ANEW;
}
