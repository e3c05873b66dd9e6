import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { createLogger } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import type { DroppedFile } from "./types.ts";
import { DropWatcher } from "./watcher.ts";

interface Bench {
  readonly drop: string;
  readonly store: Store;
  readonly log: string[];
  /** What was last said of a file, by its name. */
  said(name: string): DroppedFile["outcome"] | undefined;
  /** Lets time pass and looks again, so often. */
  look(times?: number): Promise<void>;
  /** Makes the database refuse every new outcome, or no longer. */
  refuseOutcomes(refuse: boolean): void;
}

/** More than a file must rest before it is refused, in milliseconds. */
const STEP = 6_000;

async function withWatcher(action: (bench: Bench) => Promise<void>) {
  const directory = await Deno.makeTempDir();
  const drop = `${directory}/drop`;
  await Deno.mkdir(drop);
  using store = Store.open(`${directory}/data`);
  const outcomes = new Map<string, DroppedFile["outcome"]>();
  const log: string[] = [];
  let time = 0;
  const watcher = new DropWatcher({
    directories: [drop],
    store,
    architecture: "amd64",
    logger: createLogger({ level: "info", format: "text", write: (line) => log.push(line) }),
    onChange: ({ path, outcome }) => outcomes.set(path.slice(drop.length + 1), outcome),
    clock: { now: () => new Date(), monotonic: () => time, sleep: () => Promise.resolve() },
  });
  const abort = new AbortController();
  using other = new DatabaseSync(`${directory}/data/holdfast.db`);
  try {
    await action({
      drop,
      store,
      log,
      said: (name) => outcomes.get(name),
      async look(times = 1) {
        for (let i = 0; i < times; i++) {
          time += STEP;
          await watcher.look(abort.signal);
        }
      },
      refuseOutcomes(refuse) {
        other.exec(
          refuse
            ? "CREATE TRIGGER refuse BEFORE INSERT ON drops BEGIN SELECT RAISE(FAIL, 'no'); END"
            : "DROP TRIGGER refuse",
        );
      },
    });
  } finally {
    abort.abort();
    await watcher.run(abort.signal);
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a package is taken in once it rests, and a bad file is refused", () =>
  withWatcher(async ({ drop, store, said, look }) => {
    await Deno.writeFile(`${drop}/good.tar`, buildPackage({ format: "tar" }));
    await Deno.writeFile(`${drop}/bad.tar`, new Uint8Array());
    await look();
    assert.equal(said("good.tar")?.phase, "Receiving");
    await look(2);
    assert.equal(said("good.tar")?.phase, "Accepted");
    assert.equal(said("bad.tar")?.phase, "Rejected");
    assert.equal(store.records.listPackages().length, 1);
    assert.equal(store.records.listDrops().length, 2);
  }));

Deno.test("a refusal that cannot be recorded is said all the same, told once, and recorded later", () =>
  withWatcher(async ({ drop, store, log, said, look, refuseOutcomes }) => {
    refuseOutcomes(true);
    await Deno.writeFile(`${drop}/bad.tar`, new Uint8Array());
    await look(5);
    const outcome = said("bad.tar");
    assert(outcome?.phase === "Rejected" && outcome.reason === "EmptyFile");
    assert.equal(store.records.listDrops().length, 0);
    assert.equal(log.filter((line) => line.includes("could not be recorded")).length, 1);
    refuseOutcomes(false);
    await look();
    assert.equal(store.records.listDrops().length, 1);
  }));

Deno.test("a package that cannot be recorded waits and is taken in later", () =>
  withWatcher(async ({ drop, store, said, look, refuseOutcomes }) => {
    refuseOutcomes(true);
    await Deno.writeFile(`${drop}/good.tar`, buildPackage({ format: "tar" }));
    await look(2);
    assert.equal(said("good.tar")?.phase, "Receiving");
    refuseOutcomes(false);
    await look(2);
    assert.equal(said("good.tar")?.phase, "Accepted");
    assert.equal(store.records.listPackages().length, 1);
  }));

Deno.test("a store that does not answer ends nothing", () =>
  withWatcher(async ({ drop, store, log, said, look }) => {
    await Deno.writeFile(`${drop}/a.tar`, buildPackage({ format: "tar" }));
    using other = new DatabaseSync(`${store.dir}/holdfast.db`);
    other.exec("ALTER TABLE drops RENAME TO gone");
    await look(3);
    assert.equal(said("a.tar")?.phase, "Receiving");
    assert.equal(log.filter((line) => line.includes("nothing can be said")).length, 1);
    other.exec("ALTER TABLE gone RENAME TO drops");
    await look(2);
    assert.equal(said("a.tar")?.phase, "Accepted");
  }));
