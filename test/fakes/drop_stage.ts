/**
 * A real drop watcher over a real directory and a real store, on a clock that is wound by hand.
 *
 * @module
 */
import assert from "node:assert/strict";
import {
  type DropOutcome,
  type DroppedFile,
  DropWatcher,
  REFUSE_TIME,
  SETTLE_TIME,
} from "../../src/drop/mod.ts";
import { dirname } from "../../src/std/mod.ts";
import { Store } from "../../src/store/mod.ts";
import { loggerOf, TestClock, withDirectory } from "./testing.ts";

const never = new AbortController().signal;

/** A drop directory, a store, and a watcher between them. */
export class Stage {
  /** The drop directory. */
  readonly drop: string;
  readonly clock = new TestClock();
  /** Everything that was said, in order. */
  readonly seen: DroppedFile[] = [];
  readonly log = loggerOf();
  readonly watcher: DropWatcher;
  #onProgress: { readonly path: string; readonly action: () => void } | undefined;

  constructor(readonly dir: string, readonly store: Store) {
    this.drop = `${dir}/drop`;
    Deno.mkdirSync(this.drop, { recursive: true });
    this.watcher = this.another();
  }

  /** A watcher that knows nothing but what the store holds. */
  another(directories = [this.drop]): DropWatcher {
    return new DropWatcher({
      directories,
      store: this.store,
      architecture: "amd64",
      trust: [],
      logger: this.log.logger,
      onChange: (file) => this.#note(file),
      clock: this.clock,
    });
  }

  /** Does something once, when the first bytes of a file were read and the rest is to come. */
  onProgress(name: string, action: () => void): void {
    this.#onProgress = { path: `${this.drop}/${name}`, action };
  }

  #note(file: DroppedFile): void {
    this.seen.push(file);
    const { outcome } = file;
    const isReading = outcome.phase === "Receiving" && outcome.reason === "Reading";
    if (!isReading || outcome.bytes === 0 || this.#onProgress?.path !== file.path) return;
    const { action } = this.#onProgress;
    this.#onProgress = undefined;
    action();
  }

  /** Looks after some time has passed; says whether there is more to do. */
  async look(after = 0, watcher = this.watcher): Promise<boolean> {
    this.clock.advance(after);
    return await watcher.look(never);
  }

  /** Writes a file into the drop directory or a folder in it. */
  put(name: string, bytes: Uint8Array): void {
    const path = `${this.drop}/${name}`;
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.writeFileSync(path, bytes);
  }

  /** Looks until what lies there now has been read and, if it is at fault, refused. */
  async lookLong(watcher = this.watcher): Promise<void> {
    for (const after of [0, SETTLE_TIME, REFUSE_TIME]) await this.look(after, watcher);
  }

  /** The outcome that was said last about a file. */
  last(name: string): DropOutcome {
    const file = this.seen.findLast(({ path }) => path === `${this.drop}/${name}`);
    return file?.outcome ?? assert.fail(`nothing was said of ${name}`);
  }

  /** Nothing of a package that was not taken in is left in the store. */
  assertUntouched(): void {
    for (const name of ["tmp", "blobs", "packages"]) {
      assert.deepEqual([...filesBelow(`${this.store.dir}/${name}`)], []);
    }
    assert.deepEqual(this.store.records.listPackages(), []);
  }

  /** What was said last about a file, and all the different things before it. */
  said(name: string): string[] {
    return this.seen.filter(({ path }) => path.endsWith(`/${name}`)).map(({ outcome }) =>
      "reason" in outcome ? `${outcome.phase} ${outcome.reason}` : outcome.phase
    );
  }
}

/** Runs a test on a stage that goes away afterwards. */
export function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(`${dir}/data`);
    const stage = new Stage(dir, store);
    try {
      await action(stage);
    } finally {
      // Closes the file events of a watcher that was only made to look.
      await stage.watcher.run(AbortSignal.abort());
    }
  });
}

function* filesBelow(directory: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(directory)) {
    if (isDirectory) yield* filesBelow(`${directory}/${name}`);
    else yield `${directory}/${name}`;
  }
}

/** How often {@linkcode stagedInTime} tries. */
const TRIES = 8;

/**
 * As {@linkcode staged}, for what has to happen while a package is being read: a reader on a busy
 * machine may be done before. Such a try is none; the action says so by returning "late".
 */
export async function stagedInTime(
  action: (stage: Stage) => Promise<"late" | void>,
): Promise<void> {
  for (let tries = 0; tries < TRIES; tries++) {
    let late = false;
    await staged(async (stage) => {
      late = await action(stage) === "late";
    });
    if (!late) return;
  }
  assert.fail(`the reader was done before anything could happen, ${TRIES} times`);
}
