import type { KubeClient, ObjectRef } from "../kube/mod.ts";
import type { Clock } from "../std/mod.ts";

/** An object that is waited for, as it was read last. */
export interface SeenObject {
  readonly ref: ObjectRef;
  /** Its `resourceVersion`; undefined while it is not there. */
  readonly version: string | undefined;
}

/** Objects of one wait that are watched; the rest is looked at by time alone. */
export const MAX_WATCHES = 8;
/** Changes within so many milliseconds are one: some objects change many times a second. */
export const CHANGE_BATCH = 50;

/**
 * Wakes a wait when one of its objects changes. Only a hint: a watch that is refused, ends or goes
 * silent is not opened again, and the wait then looks by time alone.
 */
export class ObjectChanges implements Disposable {
  readonly #kube: Pick<KubeClient, "watch">;
  readonly #clock: Clock;
  readonly #stop = new AbortController();
  readonly #watched = new Set<ObjectRef>();
  #changed = new AbortController();

  constructor(kube: Pick<KubeClient, "watch">, clock: Clock) {
    this.#kube = kube;
    this.#clock = clock;
  }

  /** Watches these objects, up to {@linkcode MAX_WATCHES} in all. */
  watch(objects: Iterable<SeenObject>): void {
    for (const { ref, version } of objects) {
      if (this.#watched.size === MAX_WATCHES) return;
      if (this.#watched.has(ref)) continue;
      this.#watched.add(ref);
      void this.#follow(ref, version);
    }
  }

  /** Returns after `ms` milliseconds, or soon after something changed since the last return. */
  async wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const changed = this.#changed.signal;
    const either = signal === undefined ? changed : AbortSignal.any([signal, changed]);
    await this.#clock.sleep(ms, either);
    if (changed.aborted) await this.#clock.sleep(CHANGE_BATCH, signal);
    this.#changed = new AbortController();
  }

  /** Ends all watches. */
  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #follow({ name, ...collection }: ObjectRef, version: string | undefined): Promise<void> {
    const options = {
      fieldSelector: `metadata.name=${name}`,
      ...(version === undefined ? {} : { resourceVersion: version }),
      signal: this.#stop.signal,
    };
    try {
      for await (const { type } of this.#kube.watch(collection, options)) {
        if (type !== "BOOKMARK") this.#changed.abort();
      }
    } catch {
      // What keeps the object from being read is said by whoever reads it.
    }
  }
}
