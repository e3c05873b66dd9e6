/*
 * The admission webhook alone, with whatever certificate the Secret holds at the moment, as an agent
 * serves it: `certificate_main.ts KUBECONFIG PORT`. It writes a line for each certificate.
 */
import {
  type AdmissionServer,
  createAdmission,
  loadAdmissionTls,
  serveAdmission,
} from "../../../src/admission/mod.ts";
import { KubeClient } from "../../../src/kube/mod.ts";
import { silentLogger } from "../../../src/std/mod.ts";

/** Milliseconds between two looks. */
const INTERVAL = 100;

const [kubeconfig = "", port = ""] = Deno.args;
const kube = KubeClient.fromKubeconfig(kubeconfig);
const site = {
  registryAddress: "127.0.0.1:31999",
  configMediaType: () => Promise.resolve(undefined),
};
const handler = createAdmission({ site: () => site, logger: silentLogger });
let server: AdmissionServer | undefined;
let served = "";
for (;;) {
  const tls = await loadAdmissionTls(kube);
  if (tls !== undefined && tls.cert !== served) {
    if (server === undefined) {
      server = serveAdmission(handler, { hostname: "127.0.0.1", port: Number(port), tls });
    } else server.useCertificate(tls);
    served = tls.cert;
    Deno.stdout.writeSync(new TextEncoder().encode("another certificate\n"));
  }
  await new Promise((resolve) => setTimeout(resolve, INTERVAL));
}
