import { type DroppedFile, DropWatcher } from "../drop/mod.ts";
import { Complaints, describeError, systemClock } from "../std/mod.ts";
import { type AgentBase, writeVerdicts } from "./agent_base.ts";
import { importSeedDirectory } from "./seed_import.ts";
import { watchSiteSettings } from "./site_settings_watch.ts";

/** Milliseconds between two attempts to take the registry's image in. */
const SEED_INTERVAL = 5_000;

/**
 * Takes the registry's image in from `seed-dir` and says so once it is there. A directory that cannot
 * be read, or a disk that is full, is tried again until the signal aborts.
 */
export async function takeSeed(
  { settings: { "seed-dir": directory }, store, logger }: AgentBase,
  arrived: () => void,
  signal: AbortSignal,
): Promise<void> {
  const complaints = new Complaints((text) => logger.error(text));
  while (directory !== undefined && !signal.aborted) {
    try {
      await importSeedDirectory(store, directory, logger);
      return arrived();
    } catch (error) {
      complaints.say(describeError(error));
    }
    await systemClock.sleep(SEED_INTERVAL, signal);
  }
}

/** Takes packages in from the drop directories until the signal aborts, and says each accepted one. */
export function watchDrops(
  base: AgentBase,
  arrived: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { settings, trust, store, logger, verdicts, verdictFiles } = base;
  const onChange = (file: DroppedFile) => {
    verdicts.note(file);
    verdictFiles.write(verdicts.verdict(file));
    if (file.outcome.phase === "Accepted") arrived();
  };
  const watcher = new DropWatcher({
    directories: settings["drop-dir"],
    architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
    ...{ store, trust, logger, onChange },
  });
  return watcher.run(signal);
}

/** Says when a package is to be deployed with other settings, until the signal aborts. */
export function watchSettings(
  base: AgentBase,
  changed: () => void,
  signal: AbortSignal,
): Promise<void> {
  const { store, logger, siteSettings: book } = base;
  const onChange = () => {
    writeVerdicts(base);
    changed();
  };
  return watchSiteSettings({ store, book, logger, onChange }, signal);
}
