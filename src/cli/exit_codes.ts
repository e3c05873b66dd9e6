import { SettingsError } from "../agent/mod.ts";

/** What the process ends with (design.md §5). */
export const EXIT = {
  done: 0,
  failed: 1,
  wrongUse: 2,
  refusedPackage: 3,
  timedOut: 4,
} as const;

/** The exit code of a failure. */
export function exitCodeOf(error: unknown): number {
  return error instanceof SettingsError ? EXIT.wrongUse : EXIT.failed;
}
