/** What stands in the place of a secret. */
const HIDDEN = "***";

/**
 * A function that hides secrets in a text. Each line of a secret counts by itself, since output is
 * looked at line by line.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const lines = secrets.flatMap((secret) => secret.split("\n")).map((line) => line.trim());
  // The longest first: one secret may be the beginning of another.
  const hidden = [...new Set(lines)].filter((line) => line !== "")
    .sort((a, b) => b.length - a.length);
  return (text) => hidden.reduce((rest, line) => rest.replaceAll(line, HIDDEN), text);
}
