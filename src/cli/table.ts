// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x1f\x7f-\x9f]/g;

/**
 * Text in columns, two spaces apart; the last column is as long as it is. Control characters are
 * spaces: what a package says of itself must not move the cursor.
 */
export function table(
  header: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  return columns([header, ...rows]);
}

/** Text of a package as it may be shown: control characters are spaces. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, " ");
}

/** Names and their values in two columns, without those that have no value. */
export function pairs(values: readonly (readonly [name: string, value: string])[]): string {
  return columns(values.filter(([, value]) => value !== ""));
}

function columns(cells: readonly (readonly string[])[]): string {
  const all = cells.map((row) => row.map(printable));
  const widths = (all[0] ?? []).map((_, column) =>
    all.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 0)
  );
  return all
    .map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ").trimEnd())
    .map((line) => line + "\n")
    .join("");
}
