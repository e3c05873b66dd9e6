/*
 * The admission webhook alone, as the agent serves it: `admission_main.ts KUBECONFIG PORT`. It takes
 * its certificate from the cluster.
 */
import { createAdmission, loadAdmissionTls, serveAdmission } from "../../../src/admission/mod.ts";
import { KubeClient } from "../../../src/kube/mod.ts";
import { createLogger } from "../../../src/std/mod.ts";

const [kubeconfig = "", port = ""] = Deno.args;
const logger = createLogger({
  level: "debug",
  format: "text",
  write: (line) => void Deno.stdout.writeSync(new TextEncoder().encode(line)),
});
const tls = await loadAdmissionTls(KubeClient.fromKubeconfig(kubeconfig));
if (tls === undefined) throw new Error("there is no certificate in the cluster");
const site = {
  registryAddress: "127.0.0.1:31999",
  configMediaType: () => Promise.resolve(undefined),
};
const handler = createAdmission({ site: () => site, logger });
await serveAdmission(handler, { hostname: "127.0.0.1", port: Number(port), tls }).finished;
