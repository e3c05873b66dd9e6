/**
 * Hands every image of every package of a store to the registry's storage and replaces there what is
 * not the store's file; tests kill it at each failpoint. Its arguments are the data directory, and the
 * user and the group that the registry runs as.
 */
import { RegistryStorage } from "./registry_storage.ts";
import { Store } from "./store.ts";

const [dir = "", uid, gid] = Deno.args;
const store = Store.open(dir);
const storage = new RegistryStorage(`${dir}/registry`, store.blobs, {
  uid: Number(uid),
  gid: Number(gid),
});
for (const { digest } of store.records.listPackages()) {
  const images = store.records.images(digest);
  storage.link(images.map(({ repository, descriptor: { digest } }) => ({ repository, digest })));
}
for (const digest of store.blobs.list()) storage.replace(digest);
store.close();
