import { isRecord, type Json } from "./json.ts";

/** What stands in the place of a secret. */
const HIDDEN = "***";

/**
 * Keys whose value, with all that is below it, is taken for secret. Package values have no mark for it,
 * as variables have with `sensitive`.
 */
const SECRET_KEY =
  /pass(?:word|wd|phrase|code)|secret|token|credential|(?:private|api|access|encryption|signing|ssh|tls|license)[-_]?key|^(?:pass|pwd|pin|auth)$/i;

/**
 * Package values as a plan shows them: nothing that is secret, by its key or because it holds something
 * that is known to be.
 *
 * @param redact hides what is known to be secret.
 */
export function shownValues(values: unknown, redact: (text: string) => string): Json {
  if (typeof values === "string") return redact(values);
  if (Array.isArray(values)) return values.map((each) => shownValues(each, redact));
  if (!isRecord(values)) return plainOf(values);
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [
      key,
      SECRET_KEY.test(key) ? HIDDEN : shownValues(value, redact),
    ]),
  );
}

function plainOf(value: unknown): Json {
  return typeof value === "number" || typeof value === "boolean" ? value : null;
}
