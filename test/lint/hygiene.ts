import type { Finding } from "./rules.ts";

/** Something that may not stand in a text. */
interface TextRule {
  /** Which files, from the repository's root. */
  readonly files: RegExp;
  readonly pattern: RegExp;
  readonly message: string;
}

// Written in pieces, so that this file keeps its own rules.
const MARKERS = ["TO" + "DO", "FIX" + "ME"].join("|");

const RULES: readonly TextRule[] = [
  {
    files: /_test\.ts$/,
    pattern: /Deno\.test\.(only|ignore)\b|\b(only|ignore): true\b/,
    message: "A test is switched off or runs alone; only what a machine cannot run is skipped.",
  },
  {
    files: /./,
    pattern: new RegExp(`\\b(${MARKERS})\\b`),
    message: "Work is left for later; do it, or write an issue.",
  },
  {
    files: /./,
    pattern: new RegExp(`(?<![\\w.})>*$-])/(${["wo" + "rk(?![\\w.-])", "ro" + "ot/"].join("|")})`),
    message: "A path of one machine; name it relative to the repository or ask the environment.",
  },
  {
    files: /(^|\/)deno\.lock$/,
    pattern: /"(resolved|tarball)"|https?:\/\//,
    message: "A download address in the lock file ties it to one registry; remove the entry.",
  },
];

/** Breaches of the text rules in one file. */
export function checkText(file: string, text: string): Finding[] {
  const rules = RULES.filter((rule) => rule.files.test(file));
  return text.split("\n").flatMap((content, at) =>
    rules.filter((rule) => rule.pattern.test(content))
      .map(({ message }) => ({ file, line: at + 1, message }))
  );
}
