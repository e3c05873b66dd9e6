/** How many components one message names. */
const MAX_NAMED = 5;

/**
 * What became of the other components when one has failed, in words.
 *
 * @param names of all components that were to be deployed, in order.
 */
export function othersOf(names: readonly string[], failed: string): string[] {
  const at = names.indexOf(failed);
  return [
    ...said(names.slice(0, at), "stays deployed", "stay deployed"),
    ...said(names.slice(at + 1), "was not begun", "were not begun"),
  ];
}

function said(names: readonly string[], one: string, many: string): string[] {
  if (names.length === 0) return [];
  if (names.length === 1) return [`component "${names[0]}" ${one}`];
  const shown = names.slice(0, MAX_NAMED).map((name) => `"${name}"`).join(", ");
  const more = names.length > MAX_NAMED ? ` and ${names.length - MAX_NAMED} more` : "";
  return [`components ${shown}${more} ${many}`];
}
