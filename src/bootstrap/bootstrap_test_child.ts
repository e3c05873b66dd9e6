/**
 * Brings up the registry as the leader does, with the seed image that the store has; the test kills
 * it at every failpoint.
 */
import { KubeClient } from "../kube/mod.ts";
import { silentLogger } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { ensureRegistry } from "./bootstrap.ts";

const [dir = "", kubeconfig = ""] = Deno.args;
const store = Store.open(dir);
const kube = KubeClient.fromKubeconfig(kubeconfig);
await ensureRegistry({
  kube,
  store,
  logger: silentLogger,
  registryAddress: "127.0.0.1:31999",
});
kube.close();
store.close();
