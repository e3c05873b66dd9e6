/**
 * Writes into a store and closes it; the crash test kills it at every failpoint. Its arguments are
 * the data directory and what to do: `ingest` takes a small package in, `fetch` takes one blob in as
 * from a peer.
 */
import { digestOf } from "../std/mod.ts";
import { Staging } from "./staging.ts";
import { Store } from "./store.ts";
import { bytesOf, chunks, packageWith } from "./testing.ts";

const [dir = "", task] = Deno.args;
const store = Store.open(dir);
if (task === "fetch") {
  await store.blobs.write(digestOf("fetched"), undefined, chunks("fet", "ched"));
} else ingest();
store.close();

function ingest(): void {
  const added = packageWith("web", "1.0.0", digestOf("blob 0"));
  const staging = Staging.create(dir, "ingest");
  for (const text of ["blob 0", "blob 1", "blob 2"]) {
    const writer = staging.blob(digestOf(text), text.length);
    writer?.write(bytesOf(text));
    writer?.close();
  }
  for (const path of ["zarf.yaml", "components/a.tar"]) {
    const writer = staging.file(path, path.length, 0o644);
    writer.write(bytesOf(path));
    writer.close();
  }
  staging.commit(added.digest);
  store.records.putPackage(added);
}
