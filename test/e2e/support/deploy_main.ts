/**
 * Deploys one raw manifest in a process of its own, so that a test can end it at a failpoint.
 * Arguments: data directory, kubeconfig, helm, value.
 *
 * @module
 */
import { deployPackage } from "../../../src/deploy/mod.ts";
import { KubeClient } from "../../../src/kube/mod.ts";
import { POST_RENDERER, writePackage } from "./deploy_fixture.ts";

const [dataDir = "", kubeconfig = "", helm = "", value = ""] = Deno.args;
const pkg = writePackage(dataDir, {
  definition: {
    metadata: { name: "killed" },
    components: ["one", "two"].map((name) => ({
      name,
      required: true,
      manifests: [{ name: "m", namespace: `killed-${name}`, files: ["m.yaml"] }],
    })),
  },
  files: Object.fromEntries(["one", "two"].map((name) => [
    `components/${name}/manifests/m-0.yaml`,
    `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: killed}\ndata: {value: "###ZARF_VAR_V###"}\n`,
  ])),
});
const kube = KubeClient.fromKubeconfig(kubeconfig);
await deployPackage(pkg, {
  kube,
  dataDir,
  kubeconfig,
  tools: { helm, postRenderer: POST_RENDERER },
  variables: { V: value },
  timeout: 60_000,
});
kube.close();
