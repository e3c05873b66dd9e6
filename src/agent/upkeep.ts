import type { Upstream } from "../registry/mod.ts";
import {
  type Clock,
  Complaints,
  describeError,
  type Digest,
  type Logger,
  systemClock,
} from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { repairBlobs } from "./blob_repair.ts";
import type { Part } from "./listeners.ts";
import { mendRegistryStorage } from "./registry_fill.ts";

/** Milliseconds between two rounds. */
export const UPKEEP_INTERVAL = 5 * 60_000;
/** Milliseconds between two looks whether a disk that was full at the start has room by now. */
export const THAW_INTERVAL = 5_000;

/** What {@linkcode Upkeep} works with. */
export interface UpkeepOptions {
  readonly store: Store;
  /** Where blobs that rotted can be fetched again. */
  readonly upstreams: readonly Upstream[];
  readonly logger: Logger;
  /** How the store is, for the status page. */
  readonly part?: Part;
  /** Told of each blob that is whole again. */
  readonly onRepaired?: (digest: Digest) => void;
  /** Told when a store that was opened on a full disk can be written to. */
  readonly onThawed?: () => void;
  readonly clock?: Clock;
}

/**
 * Keeps the store in order: removes what nothing needs, hashes everything again and again, and gets
 * back what is missing. What no registry has is read from its package file again, if that is still
 * there: the drop room looks at the store's damage.
 */
export class Upkeep {
  readonly #options: UpkeepOptions;
  readonly #clock: Clock;
  readonly #repaired: Record<string, number> = {};
  #wake = new AbortController();

  constructor(options: UpkeepOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
  }

  /** Blobs that were fetched again, by where they came from. */
  get repaired(): Readonly<Record<string, number>> {
    return this.#repaired;
  }

  /** There may be something to do. */
  wake(): void {
    this.#wake.abort();
  }

  /**
   * Runs until the signal aborts.
   *
   * @throws {StoreError} what keeps a store from being opened, other than a full disk.
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.#thawed(signal);
    if (signal.aborted) return;
    await Promise.all([
      this.#rounds(signal),
      this.#options.store.scrubber.run(signal, () => this.wake()),
    ]);
  }

  /** One round. @throws {StoreError} what the disk says. */
  async round(signal: AbortSignal): Promise<void> {
    const { store, logger } = this.#options;
    const removed = store.collector.collect();
    if (removed.packages + removed.blobs > 0) {
      logger.info("what nothing needs any more was removed", { ...removed });
    }
    await this.#repair(signal);
    // Also what was read from a package file again meanwhile.
    mendRegistryStorage(store, logger);
    this.#tell();
  }

  /** What is there is served meanwhile. */
  async #thawed(signal: AbortSignal): Promise<void> {
    const { store, part, onThawed } = this.#options;
    if (store.frozen === undefined) return;
    while (!store.thaw()) {
      part?.set(false, describeError(store.frozen));
      await this.#clock.sleep(THAW_INTERVAL, signal);
      if (signal.aborted) return;
    }
    part?.set(true, "in order");
    onThawed?.();
  }

  #tell(): void {
    const { store, part } = this.#options;
    const { blobs, packages } = store.damage;
    if (blobs.length === 0 && packages.size === 0) return part?.set(true, "in order");
    const names = store.records.listPackages()
      .filter(({ digest }) => packages.has(digest))
      .map(({ name, version }) => `${name} ${version}`.trimEnd());
    const whose = names.length === 0 ? "the registry's image" : names.join(", ");
    part?.set(false, `${blobs.length} blobs are missing; drop the package again: ${whose}`);
  }

  async #repair(signal: AbortSignal): Promise<void> {
    const { store, logger } = this.#options;
    const { blobs } = store.findDamage();
    if (blobs.length === 0) return;
    logger.warn("blobs are missing and are fetched again", { blobs: blobs.length });
    await repairBlobs(
      { ...this.#options, onRepaired: (digest, source) => this.#onRepaired(digest, source) },
      blobs,
      signal,
    );
    store.findDamage();
  }

  #onRepaired(digest: Digest, source: string): void {
    this.#repaired[source] = (this.#repaired[source] ?? 0) + 1;
    this.#options.onRepaired?.(digest);
  }

  async #rounds(signal: AbortSignal): Promise<void> {
    const complaints = new Complaints((text) =>
      this.#options.logger.error(`the store cannot be kept in order: ${text}`)
    );
    while (!signal.aborted) {
      this.#wake = new AbortController();
      try {
        await this.round(signal);
        complaints.settle();
      } catch (error) {
        const text = describeError(error);
        this.#options.part?.set(false, text);
        complaints.say(text);
      }
      await this.#clock.sleep(UPKEEP_INTERVAL, AbortSignal.any([signal, this.#wake.signal]));
    }
  }
}
