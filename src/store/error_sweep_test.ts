import assert from "node:assert/strict";
import { Faults } from "../../test/fakes/faults.ts";
import { type Clock, digestOf, systemClock } from "../std/mod.ts";
import { StoreError, type StoreReason } from "./errors.ts";
import { type StoreFs, systemStoreFs } from "./fs.ts";
import { RegistryStorage } from "./registry_storage.ts";
import type { Staging } from "./staging.ts";
import { Store } from "./store.ts";
import { chunks, openFiles, osError, treeOf, withFastDirectory } from "./testing.ts";
import { blobPath, entryOf, importPackage, stagePackage, testPackage } from "./testing_packages.ts";

const CODES: readonly (readonly [string, StoreReason])[] = [["ENOSPC", "DiskFull"], [
  "EIO",
  "IoError",
]];
/** Long after every grace. */
const LATE_CLOCK: Clock = { ...systemClock, monotonic: () => performance.now() + 1e9 };

const MANIFEST = JSON.stringify({
  config: { digest: digestOf("config"), size: 6 },
  layers: [{ digest: digestOf("base"), size: 4 }],
});
const FIRST = testPackage("web", "1.0.0", [MANIFEST, "config", "base", "old"], ["zarf.yaml"]);
const SECOND = testPackage("web", "2.0.0", ["manifest", "base", "new", ""], [
  "zarf.yaml",
  "charts/a/Chart.yaml",
]);

interface Bench {
  readonly store: Store;
  readonly fs: StoreFs;
}

/** Something that the store does; done again after a failure it ends as if there had been none. */
interface Deed {
  readonly name: string;
  /** What is there before, beside the first package. */
  readonly prepare?: (bench: Bench) => void | Promise<void>;
  readonly act: (bench: Bench) => void | Promise<void>;
  /** Whether what it takes away is meant to go. */
  readonly removes?: boolean;
  /** Whether the operating system's own errors come out. */
  readonly isBare?: boolean;
}

/** As the worker does: what fails is discarded. */
function staging({ store, fs }: Bench, checkpointBytes: number): void {
  let staged: Staging | undefined;
  try {
    staged = stagePackage(store.dir, SECOND, { fs, checkpointBytes });
    staged.directory("empty", 0o755);
    staged.symlink("link", "zarf.yaml");
    staged.commit(SECOND.record.digest);
    store.records.putPackage(SECOND.record);
  } catch (error) {
    staged?.discard();
    throw error;
  }
}

const DEEDS: readonly Deed[] = [
  { name: "a package is taken in", act: (bench) => staging(bench, Infinity) },
  { name: "a package is taken in by checkpoints", act: (bench) => staging(bench, 1) },
  {
    name: "a blob is fetched",
    act: ({ store }) => store.blobs.write(digestOf("fetched"), 7, chunks("fet", "ched")),
  },
  {
    name: "the ledger notes a package",
    act: ({ store }) => store.ledger.note(entryOf(SECOND)),
  },
  {
    name: "a bad blob is moved aside",
    prepare: ({ store }) => store.blobs.write(digestOf("bad"), undefined, chunks("bad")),
    act: ({ store }) => store.blobs.quarantine(digestOf("bad")),
    removes: true,
  },
  {
    name: "what nothing needs is removed",
    prepare: ({ store, fs }) => {
      importPackage(store, SECOND, { fs });
      store.records.setPackageState(FIRST.record.digest, "superseded");
    },
    act: ({ store }) => void store.collector.collect({ urgent: true }),
    removes: true,
  },
  {
    name: "an image is linked into the registry",
    act: ({ store, fs }) => {
      const owner = { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 };
      const storage = new RegistryStorage(`${store.dir}/registry`, store.blobs, owner, fs);
      storage.link([{ repository: "library/web", digest: digestOf(MANIFEST) }]);
    },
    isBare: true,
  },
];

/** Opens a store with one package in it, prepares it, and lets `action` have it. */
async function withBench(
  deed: Deed,
  faults: Faults,
  action: (bench: Bench) => Promise<void>,
): Promise<void> {
  await withFastDirectory(async (dir) => {
    const fs = faults.over(systemStoreFs);
    using store = Store.open(`${dir}/data`, { fs, clock: LATE_CLOCK });
    importPackage(store, FIRST, { fs });
    await deed.prepare?.({ store, fs });
    faults.disarm();
    await action({ store, fs });
  });
}

/** Everything below the data directory but SQLite's files, and the records. */
function stateOf({ store }: Bench) {
  const { "holdfast.db": _db, "holdfast.db-wal": _log, "holdfast.db-shm": _index, ...files } =
    treeOf(store.dir);
  const records = store.records.listPackages();
  return { files, records, ledger: store.ledger.entries(), damage: store.findDamage() };
}

/** Runs the deed; what it throws. */
async function attempt(deed: Deed, bench: Bench): Promise<Error | undefined> {
  try {
    await deed.act(bench);
    return undefined;
  } catch (error) {
    return error as Error;
  }
}

/** What fails is said, with its reason, and is no reason to give up. */
function assertSaid(deed: Deed, error: Error, code: string, reason: StoreReason): void {
  if (deed.isBare && !(error instanceof StoreError)) {
    assert.equal((error as Error & { code?: string }).code, code);
    return;
  }
  assert.ok(error instanceof StoreError, `${error}`);
  assert.equal(error.reason, reason);
  assert.notEqual(error.disposition, "terminal");
}

type State = ReturnType<typeof stateOf>;

/** What was there is there, unless it is meant to go; nothing unfinished is. */
function assertKept(deed: Deed, before: State, after: State, failed: string): void {
  for (const [path, content] of deed.removes ? [] : Object.entries(before.files)) {
    if (path !== "ledger.json") assert.equal(after.files[path], content, path);
  }
  assert.deepEqual(after.records, before.records);
  assert.deepEqual(after.damage, before.damage);
  // What is to be removed waits in tmp/ for the next try.
  if (failed === "remove" || deed.removes) return;
  assert.deepEqual(unfinishedIn(after), []);
}

function unfinishedIn(state: State | undefined): string[] {
  return Object.keys(state?.files ?? {}).filter((path) => /^tmp\/|\.tmp$/.test(path));
}

for (const deed of DEEDS) {
  Deno.test(`an error in any call while ${deed.name} is told, leaves all as it was, and passes`, async () => {
    const faults = new Faults();
    let calls: readonly string[] = [];
    let undisturbed: State | undefined;
    await withBench(deed, faults, async (bench) => {
      await deed.act(bench);
      calls = [...faults.calls];
      undisturbed = stateOf(bench);
    });
    assert.ok(calls.length > 3, calls.join());
    assert.deepEqual(unfinishedIn(undisturbed), []);
    for (const [code, reason] of CODES) {
      for (const [index, call] of calls.entries()) {
        await withBench(deed, faults, async (bench) => {
          const before = stateOf(bench);
          const open = openFiles(bench.store.dir);
          faults.arm(index + 1, () => osError(code));
          const error = await attempt(deed, bench);
          assert.equal(faults.failed, call);
          faults.disarm();
          const place = `${code} in call ${index + 1} (${call})`;
          // What could not be removed goes another time.
          if (error === undefined) assert.equal(call, "remove", `${place} is not told`);
          else assertSaid(deed, error, code, reason);
          assert.deepEqual(openFiles(bench.store.dir), open, place);
          if (error !== undefined) assertKept(deed, before, stateOf(bench), call);
          await deed.act(bench);
          assert.deepEqual(stateOf(bench), undisturbed, place);
        });
      }
    }
  });
}

/** A data directory as a killed process leaves it: unfinished files, and a blob that went bad. */
function leaveKilled(dir: string): void {
  {
    using store = Store.open(`${dir}/running`);
    importPackage(store, FIRST);
    store.ledger.note(entryOf(SECOND));
    stagePackage(store.dir, SECOND);
    new Deno.Command("cp", { args: ["-a", `${dir}/running`, `${dir}/data`] }).outputSync();
  }
  Deno.removeSync(`${dir}/running`, { recursive: true });
  Deno.writeTextFileSync(`${dir}/data/ledger.json.0123abcd.tmp`, "{");
  const bad = `${dir}/data/blobs/${blobPath(digestOf("old"))}`;
  Deno.chmodSync(bad, 0o644);
  Deno.writeTextFileSync(bad, "oLd");
}

for (
  const [what, prepare] of [
    ["a new store", () => {}],
    ["a store whose process was killed", leaveKilled],
  ] as const
) {
  Deno.test(`an error in any call while ${what} is opened is told, holds nothing open, and passes`, async () => {
    const faults = new Faults();
    const fs = faults.over(systemStoreFs);
    const opened = (dir: string): State => {
      using store = Store.open(`${dir}/data`, { fs });
      return stateOf({ store, fs });
    };
    let calls: readonly string[] = [];
    let undisturbed: State | undefined;
    await withFastDirectory((dir) => {
      prepare(dir);
      faults.disarm();
      undisturbed = opened(dir);
      calls = [...faults.calls];
    });
    assert.ok(calls.length > 5, calls.join());
    for (const [code, reason] of CODES) {
      for (const [index, call] of calls.entries()) {
        await withFastDirectory((dir) => {
          prepare(dir);
          faults.arm(index + 1, () => osError(code));
          const place = `${code} in call ${index + 1} (${call})`;
          try {
            opened(dir);
            assert.equal(faults.failed, "remove", `${place} is not told`);
          } catch (error) {
            if (!(error instanceof StoreError)) throw error;
            assert.equal(error.reason, reason, place);
            assert.notEqual(error.disposition, "terminal");
          }
          assert.deepEqual(openFiles(dir), [], place);
          faults.disarm();
          assert.deepEqual(opened(dir), undisturbed, place);
        });
      }
    }
  });
}
