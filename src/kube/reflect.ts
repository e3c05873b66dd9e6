import { backoffDelay, type Clock, describeError, type Logger } from "../std/mod.ts";
import { KubeError, pauseAskedBy } from "./errors.ts";
import { MAX_ITEMS } from "./list.ts";
import type {
  KubeList,
  KubeObject,
  ListOptions,
  ReflectOptions,
  ResourceRef,
  Snapshot,
  WatchEvent,
  WatchOptions,
} from "./types.ts";

/** What a reflection reads from. */
export interface ReflectSource {
  list<T extends KubeObject>(ref: ResourceRef, options?: ListOptions): Promise<KubeList<T>>;
  watch<T extends KubeObject>(
    ref: ResourceRef,
    options?: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>>;
}

/** Changes within so many milliseconds are one batch. */
const BATCH = 20;
/** After so many failed watches in a row everything is listed again. */
const FAILURES_BEFORE_RELIST = 3;
/** A watch that ends sooner than this, in milliseconds, is not opened again at once. */
const SHORTEST_WATCH = 1_000;

/** List, watch, and list again where it must be; see {@linkcode KubeClient.reflect}. */
export async function* reflect<T extends KubeObject>(
  source: ReflectSource,
  ref: ResourceRef,
  options: ReflectOptions,
  tools: { readonly clock: Clock; readonly logger: Logger },
): AsyncGenerator<Snapshot<T>> {
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  options.signal.addEventListener("abort", onAbort, { once: true });
  if (options.signal.aborted) stop.abort();
  const reflector = new Reflector<T>(source, ref, options, tools, stop.signal);
  const running = reflector.run();
  try {
    for (;;) {
      await reflector.changed();
      if (stop.signal.aborted) return;
      await tools.clock.sleep(BATCH, stop.signal);
      if (stop.signal.aborted) return;
      yield reflector.take();
    }
  } finally {
    options.signal.removeEventListener("abort", onAbort);
    stop.abort();
    await running;
  }
}

class Reflector<T extends KubeObject> {
  #items = new Map<string, T>();
  #version: string | undefined;
  #synced = false;
  #failures = 0;
  #changed = Promise.withResolvers<void>();

  constructor(
    readonly source: ReflectSource,
    readonly ref: ResourceRef,
    readonly options: ReflectOptions,
    readonly tools: { readonly clock: Clock; readonly logger: Logger },
    readonly signal: AbortSignal,
  ) {}

  /** Resolves when there is something new, or at the end. */
  changed(): Promise<void> {
    return this.#changed.promise;
  }

  /** What is there now. */
  take(): Snapshot<T> {
    this.#changed = Promise.withResolvers();
    return new Map(this.#items);
  }

  async run(): Promise<void> {
    while (!this.signal.aborted) {
      const started = this.tools.clock.monotonic();
      try {
        await this.#follow();
        const lasted = this.tools.clock.monotonic() - started;
        if (lasted < SHORTEST_WATCH) await this.#pause(SHORTEST_WATCH);
      } catch (error) {
        await this.#afterFailure(error);
      }
    }
    this.#changed.resolve();
  }

  async #follow(): Promise<void> {
    const { labelSelector, fieldSelector } = this.options;
    const select = {
      ...(labelSelector === undefined ? {} : { labelSelector }),
      ...(fieldSelector === undefined ? {} : { fieldSelector }),
      signal: this.signal,
    };
    if (this.#version === undefined) {
      const { items, resourceVersion } = await this.source.list<T>(this.ref, select);
      this.#replaceAll(items);
      this.#version = resourceVersion;
      this.#recovered();
    }
    const options = { ...select, resourceVersion: this.#version };
    for await (const event of this.source.watch<T>(this.ref, options)) {
      this.#take(event);
      this.#recovered();
    }
  }

  #take({ type, object }: WatchEvent<T>): void {
    this.#version = object.metadata.resourceVersion ?? this.#version;
    if (type === "BOOKMARK") return;
    if (type === "DELETED") this.#items.delete(keyOf(object));
    else this.#items.set(keyOf(object), slim(object));
    if (this.#items.size > MAX_ITEMS) {
      throw new KubeError({
        reason: "TooLarge",
        message: `there are more than ${MAX_ITEMS} objects of kind ${this.ref.kind}`,
      });
    }
    this.#changed.resolve();
  }

  #replaceAll(items: readonly T[]): void {
    const fresh = new Map(items.map((item) => [keyOf(item), slim(item)]));
    const same = this.#synced && fresh.size === this.#items.size &&
      [...fresh].every(([key, item]) =>
        this.#items.get(key)?.metadata.resourceVersion === item.metadata.resourceVersion
      );
    this.#items = fresh;
    this.#synced = true;
    if (!same) this.#changed.resolve();
  }

  #recovered(): void {
    if (this.#failures > 0) {
      this.tools.logger.info("the API server is followed again", { kind: this.ref.kind });
    }
    this.#failures = 0;
  }

  async #afterFailure(error: unknown): Promise<void> {
    if (this.signal.aborted) return;
    this.#failures++;
    const gone = error instanceof KubeError && error.reason === "Gone";
    // A server that was set back to an older state is silent until its versions catch up.
    const silent = error instanceof KubeError && error.reason === "Timeout";
    if (gone || silent || this.#failures % FAILURES_BEFORE_RELIST === 0) this.#version = undefined;
    const say = this.#failures === 1 && !gone ? "warn" : "debug";
    this.tools.logger[say]("the API server cannot be followed, trying again", {
      kind: this.ref.kind,
      error: describeError(error),
    });
    await this.#pause(pauseAskedBy(error) ?? backoffDelay(this.#failures - 1));
  }

  #pause(milliseconds: number): Promise<void> {
    return this.tools.clock.sleep(milliseconds, this.signal);
  }
}

/** `namespace/name`, or `name`. */
function keyOf(object: KubeObject): string {
  const { namespace, name = "" } = object.metadata;
  return namespace === undefined ? name : `${namespace}/${name}`;
}

/** Nobody here reads `managedFields`, and they are often most of an object. */
function slim<T extends KubeObject>(object: T): T {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}
