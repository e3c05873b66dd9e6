/**
 * Takes the same small package in as an ingest does and prints the digest of the whole store; the
 * crash test kills it at every failpoint.
 */
import { digestOf } from "../std/mod.ts";
import { Staging } from "./staging.ts";
import { Store } from "./store.ts";
import { bytesOf, packageWith } from "./testing.ts";

const dir = Deno.args[0] ?? "";
const store = Store.open(dir);
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
store.close();
