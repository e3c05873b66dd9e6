/**
 * Writes into a store and closes it; the crash test kills it at every failpoint. Its arguments are
 * the data directory and what to do: `ingest` takes a small package in, `fetch` takes one blob in as
 * from a peer, `upgrade` takes two versions of a signed package in and gives the older one up.
 */
import { digestOf } from "../std/mod.ts";
import { Staging } from "./staging.ts";
import { Store } from "./store.ts";
import { bytesOf, chunks, packageWith, stageBlobs } from "./testing.ts";

const [dir = "", task] = Deno.args;
const store = Store.open(dir);
if (task === "fetch") {
  await store.blobs.write(digestOf("fetched"), undefined, chunks("fet", "ched"));
} else if (task === "upgrade") upgrade();
else ingest();
store.close();

/** A signed package takes the place of another, whose content goes. */
function upgrade(): void {
  const [old, added] = ["1.0.0", "2.0.0"].map((version) => {
    const blobs = [`only in ${version}`, "shared"];
    const references = blobs.map((text) => ({ digest: digestOf(text), size: text.length }));
    return { ...packageWith("web", version, digestOf(blobs[0] ?? "")), blobs: references };
  });
  if (old === undefined || added === undefined) throw new Error("there are two");
  for (const { digest, name, version, blobs } of [old, added]) {
    if (store.records.getPackage(digest) !== undefined) continue;
    const staging = stageBlobs(dir, [`only in ${version}`, "shared"], { checkpointBytes: 1 });
    const writer = staging.file("zarf.yaml", version.length, 0o644);
    writer.write(bytesOf(version));
    writer.close();
    staging.commit(digest);
    store.ledger.note({ name, version, digest });
    store.records.putPackage({ ...(digest === old.digest ? old : added), blobs });
  }
  store.records.setPackageState(added.digest, "ready");
  store.records.setPackageState(old.digest, "superseded");
  store.collector.collect({ urgent: true });
}

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
