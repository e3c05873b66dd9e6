import { SettingsError } from "../agent/mod.ts";
import { PackageError } from "../package/mod.ts";
import { PlanRefused } from "./plan_refused.ts";
import { ZarfUseError } from "./zarf_use_error.ts";

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
  if (error instanceof SettingsError || error instanceof ZarfUseError) return EXIT.wrongUse;
  if (error instanceof PlanRefused) return EXIT.refusedPackage;
  // What may be another package the next time it is read is no package that was refused.
  const refused = error instanceof PackageError && error.disposition === "terminal";
  return refused ? EXIT.refusedPackage : EXIT.failed;
}
