import { digestHex, digestOf } from "../std/mod.ts";
import { QUARANTINE_LIMIT } from "./blobs.ts";
import type { StoreFs } from "./fs.ts";
import { RegistryStorage } from "./registry_storage.ts";
import { Store } from "./store.ts";
import { chunks } from "./testing.ts";
import type { Life } from "./testing_kill.ts";
import { importPackage, stagePackage, testPackage } from "./testing_packages.ts";

/** A life with what is in its data directory before. */
export interface PreparedLife {
  readonly prepare?: (dir: string) => void;
  readonly life: Life;
}

const MANIFEST = JSON.stringify({
  config: { digest: digestOf("config"), size: 6 },
  layers: [{ digest: digestOf("base"), size: 4 }],
});
/** One blob and one file. */
const SMALL = testPackage("small", "1.0.0", ["only"], ["zarf.yaml"]);
const OLD = testPackage("web", "1.0.0", [MANIFEST, "config", "base"], ["zarf.yaml", "old/a"]);
const NEW = testPackage("web", "2.0.0", ["new", "base", ""], ["zarf.yaml", "charts/a/b"]);
const ROOT = 0;
/** Only root can give files away. */
const USER = Deno.uid() === ROOT
  ? { uid: 1000, gid: 2000 }
  : { uid: Deno.uid() ?? ROOT, gid: Deno.gid() ?? ROOT };

/** What kill tests end at every place; each may be done again after any end. */
export const LIVES = {
  "a small package is taken in": { life: (store, fs) => importPackage(store, SMALL, { fs }) },
  "a package takes the place of another": { life: upgrade },
  "a package is refused": { life: (store, fs) => stagePackage(store.dir, OLD, { fs }).discard() },
  "a blob is fetched": { life: fetchBlob },
  "a bad blob is moved aside": { prepare: fillQuarantine, life: moveAside },
  "images are handed to the registry": { prepare: leaveDamagedData, life: handOver },
} as const satisfies Readonly<Record<string, PreparedLife>>;

/** One of {@linkcode LIVES}. */
export type LifeName = keyof typeof LIVES;

function upgrade(store: Store, fs: StoreFs): void {
  for (const added of [OLD, NEW]) {
    if (store.records.getPackage(added.record.digest) !== undefined) continue;
    importPackage(store, added, { fs, checkpointBytes: 1 });
  }
  store.records.setPackageState(NEW.record.digest, "ready");
  store.records.setPackageState(OLD.record.digest, "superseded");
  store.collector.collect({ urgent: true });
}

async function fetchBlob({ blobs }: Store): Promise<void> {
  await blobs.write(digestOf("fetched"), undefined, chunks("fet", "ched"));
}

/** Also leaves something unfinished. */
function fillQuarantine(dir: string): void {
  Store.open(dir).close();
  Deno.writeTextFileSync(`${dir}/tmp/left`, "");
  Deno.mkdirSync(`${dir}/quarantine`);
  for (let index = 0; index < QUARANTINE_LIMIT; index++) {
    const path = `${dir}/quarantine/${digestHex(digestOf(`bad ${index}`))}`;
    Deno.writeTextFileSync(path, `bad ${index}`);
    Deno.utimeSync(path, index, index);
  }
}

async function moveAside({ blobs }: Store): Promise<void> {
  const digest = digestOf("bad");
  if (blobs.stat(digest) === undefined) await blobs.write(digest, 3, chunks("bad"));
  blobs.quarantine(digest);
}

/** The registry has a blob that went bad. */
function leaveDamagedData(dir: string): void {
  const hex = digestHex(digestOf("base"));
  const directory = `${dir}/registry/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}`;
  Deno.mkdirSync(directory, { recursive: true });
  Deno.writeTextFileSync(`${directory}/data`, "bAse");
}

async function handOver(store: Store, fs: StoreFs): Promise<void> {
  for (const text of [MANIFEST, "config", "base"]) {
    await store.blobs.write(digestOf(text), undefined, chunks(text));
  }
  const storage = new RegistryStorage(`${store.dir}/registry`, store.blobs, USER, fs);
  storage.link([{ repository: "library/web", digest: digestOf(MANIFEST) }]);
  storage.replace(digestOf("base"));
}
