/**
 * A store with the in-cluster registry's storage beside it, without a cluster: takes in what is
 * dropped, as the agent does, and links each package's images, as the agent does on the node where
 * the registry runs. It says a line for each step:
 *
 *     reading FILE
 *     accepted FILE DIGEST
 *     linked FILE
 *     rejected FILE
 *
 * Arguments: data directory, drop directory. SIGTERM ends it in order.
 *
 * @module
 */
import { REGISTRY_GID, REGISTRY_UID } from "../../src/bootstrap/mod.ts";
import { type DroppedFile, DropWatcher } from "../../src/drop/mod.ts";
import { createLogger, ensureDir, isDigest } from "../../src/std/mod.ts";
import { RegistryStorage, Store } from "../../src/store/mod.ts";

const [dataDir = "", dropDir = ""] = Deno.args;
const logger = createLogger({
  level: "info",
  format: "text",
  write: (line) => Deno.stderr.writeSync(new TextEncoder().encode(line)),
});
const stop = new AbortController();
Deno.addSignalListener("SIGTERM", () => stop.abort());

using store = Store.open(dataDir, { logger });
ensureDir(`${dataDir}/registry`);
const owner = { uid: REGISTRY_UID, gid: REGISTRY_GID };
const storage = new RegistryStorage(`${dataDir}/registry`, store.blobs, owner);
const linked = new Set<string>();

function onChange({ path, outcome }: DroppedFile): void {
  const file = path.slice(path.lastIndexOf("/") + 1);
  if (outcome.phase === "Rejected") return say(`rejected ${file}`);
  if (outcome.phase === "Receiving") {
    if (outcome.reason === "Reading") say(`reading ${file}`);
    return;
  }
  const { digest } = outcome;
  if (!isDigest(digest) || linked.has(digest)) return;
  say(`accepted ${file} ${digest}`);
  storage.link(
    store.records.images(digest).map(({ repository, descriptor }) => ({
      repository,
      digest: descriptor.digest,
    })),
  );
  linked.add(digest);
  say(`linked ${file}`);
}

function say(line: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
}

const architecture = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
const directories = [dropDir];
await new DropWatcher({ directories, store, architecture, trust: [], logger, onChange })
  .run(stop.signal);
