import { type Clock, Complaints, describeError, type Logger, systemClock } from "../std/mod.ts";
import type { PackageRecord, Store } from "../store/mod.ts";
import type { SiteSettingsBook } from "./site_settings.ts";

/** Milliseconds between two looks beside the packages. */
export const SETTINGS_INTERVAL = 5_000;

/** What {@linkcode watchSiteSettings} works with. */
export interface SiteSettingsWatchOptions {
  readonly store: Store;
  readonly book: SiteSettingsBook;
  readonly logger: Logger;
  /** Told after a package was put back to be deployed anew. */
  readonly onChange: () => void;
  readonly clock?: Clock;
}

/** The states in which nothing more would be done with a package. */
const SETTLED: ReadonlySet<PackageRecord["state"]> = new Set(["ready", "failed", "rolled-back"]);

/** Has packages deployed anew whose settings have changed, until the signal aborts. */
export async function watchSiteSettings(
  options: SiteSettingsWatchOptions,
  signal: AbortSignal,
): Promise<void> {
  const { logger, clock = systemClock } = options;
  const complaints = new Complaints((text) => logger.warn(text));
  while (!signal.aborted) {
    try {
      await lookAtSiteSettings(options);
      complaints.settle();
    } catch (error) {
      complaints.say(`the settings of packages cannot be looked at: ${describeError(error)}`);
    }
    await clock.sleep(SETTINGS_INTERVAL, signal);
  }
}

/** One look: puts packages that are settled with other settings back to be deployed. */
export async function lookAtSiteSettings(options: SiteSettingsWatchOptions): Promise<void> {
  const { store, book, logger, onChange } = options;
  const changed = (await book.look(wanted(store))).map(({ digest }) => digest);
  // The look took its time: what counts is where each stands now.
  const anew = wanted(store).filter(({ digest, state }) =>
    changed.includes(digest) && SETTLED.has(state)
  );
  for (const { digest, name } of anew) {
    logger.info("the settings of a package have changed", { package: name });
    store.records.setPackageState(digest, "accepted", {
      reason: "SettingsChanged",
      message: "the settings of the package have changed; it is deployed again",
    });
  }
  if (anew.length > 0) onChange();
}

/** Of each name the package accepted last, and those that are superseded. */
function wanted(store: Store): PackageRecord[] {
  const records = store.records.listPackages();
  const newest = new Map(records.map((record) => [record.name, record.digest]));
  return records.filter(({ name, digest, state }) =>
    state === "superseded" || newest.get(name) === digest
  );
}
