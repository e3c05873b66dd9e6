/** What one `###ZARF_…###` stands for. */
export interface Template {
  readonly value: string;
  /** Whether the value's further lines are indented like the place it lands on. */
  readonly autoIndent?: boolean;
}

/** Values by their whole key, `###ZARF_VAR_NAME###`. */
export type Templates = ReadonlyMap<string, Template>;

const KEY = /###ZARF_[A-Z0-9_]+###/g;
const encoder = new TextEncoder();

/**
 * Replaces every known `###ZARF_…###` in `text`; unknown ones stay, and what was put in is not looked
 * at again (Zarf 0.84, src/pkg/variables/templates.go). With `autoIndent` each line break in the
 * value is followed by as many spaces as there are bytes between the key and the start of its line,
 * or the key before it on the same line.
 *
 * Two things of Zarf's are left out: it loses the rest of a file after a line of 1 MiB, and it adds a
 * line break at the end of a file that has none.
 */
export function applyTemplates(text: string, templates: Templates): string {
  let segment = 0;
  return text.replace(KEY, (key, offset: number) => {
    const start = Math.max(segment, text.lastIndexOf("\n", offset) + 1);
    segment = offset + key.length;
    const template = templates.get(key);
    if (template === undefined) return key;
    if (template.autoIndent !== true) return template.value;
    const indent = " ".repeat(encoder.encode(text.slice(start, offset)).length);
    return template.value.replaceAll("\n", `\n${indent}`);
  });
}
