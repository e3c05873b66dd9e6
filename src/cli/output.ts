import { dump } from "js-yaml";
import type { Terminal } from "./terminal.ts";

/** The ways in which a command can print what it knows. */
export const OUTPUT_FORMATS = ["table", "json", "yaml"] as const;

/** How a command prints what it knows. */
export type OutputFormat = typeof OUTPUT_FORMATS[number];

/** Prints a value for programs, or a text for people. */
export function printAs(
  format: OutputFormat,
  value: unknown,
  table: () => string,
  terminal: Terminal,
): void {
  switch (format) {
    case "table":
      return terminal.out(table());
    case "json":
      return terminal.out(JSON.stringify(value, null, 2) + "\n");
    case "yaml":
      return terminal.out(dump(value, { lineWidth: -1 }));
  }
}
