/** One item of a pattern: a run of anything, any character, a class, an escape, a character. */
const ITEM = /\*+|\?|\[(\^?)((?:\\[^]|[^\]\\])+)\]|\\([^])|([^*?[\\])/gsuy;
/** One member of a class: a character or a range, each end perhaps escaped. */
const MEMBER = /(?:\\([^])|([^\-\]\\]))(?:-(?:\\([^])|([^\-\]\\])))?/gsuy;

/**
 * Go's `path.Match` as an expression: `*` and `?` do not match a slash, `[a-z]` and `[^a-z]` are
 * classes, a backslash takes the meaning from what follows.
 *
 * @returns undefined for what Go calls a syntax error in the pattern.
 */
export function goGlob(pattern: string): RegExp | undefined {
  let end = 0;
  let source = "";
  for (const item of pattern.matchAll(ITEM)) {
    end = item.index + item[0].length;
    const part = expressionOf(item);
    if (part === undefined) return undefined;
    source += part;
  }
  return end === pattern.length ? new RegExp(`^${source}$`, "su") : undefined;
}

function expressionOf(item: RegExpExecArray): string | undefined {
  const [text, negated, members, escaped, plain] = item;
  if (text.startsWith("*")) return "[^/]*";
  if (text === "?") return "[^/]";
  if (members === undefined) return literal(escaped ?? plain ?? "");
  let end = 0;
  let inside = "";
  for (const member of members.matchAll(MEMBER)) {
    end = member.index + member[0].length;
    const from = member[1] ?? member[2] ?? "";
    const to = member[3] ?? member[4] ?? from;
    // A range that ends before it begins holds nothing.
    if (from <= to) inside += `${literal(from)}-${literal(to)}`;
  }
  return end === members.length ? `[${negated}${inside}]` : undefined;
}

function literal(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}
