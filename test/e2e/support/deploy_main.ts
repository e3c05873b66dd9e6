/**
 * Deploys two components in a process of its own, so that a test can end it at a failpoint.
 * Arguments: data directory, kubeconfig, helm, value.
 *
 * @module
 */
import { deployPackage, type JournalLine } from "../../../src/deploy/mod.ts";
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
      files: [{ source: "f", target: "f.txt" }],
      actions: {
        onDeploy: {
          before: [{ cmd: `echo ${name}-$ZARF_VAR_V`, setVariables: [{ name: `SET_${name}` }] }],
          after: [{ cmd: "[ -e f.txt ]" }],
        },
      },
    })),
  },
  files: Object.fromEntries(["one", "two"].flatMap((name) => [
    [
      `components/${name}/manifests/m-0.yaml`,
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: killed}\n" +
      'data: {value: "###ZARF_VAR_V###", set: "###ZARF_VAR_SET_ONE###"}\n',
    ],
    [`components/${name}/files/0/f.txt`, "###ZARF_VAR_V###"],
  ])),
});
const journal = `${dataDir}/journal`;
const kube = KubeClient.fromKubeconfig(kubeconfig);
await deployPackage(pkg, {
  kube,
  dataDir,
  kubeconfig,
  tools: { helm, postRenderer: POST_RENDERER },
  variables: { V: value },
  actions: { policy: "always", trusted: false },
  journal: {
    append: (line) =>
      Deno.writeTextFileSync(journal, `${JSON.stringify(line)}\n`, { append: true }),
    lines: () => readJournal(),
  },
  timeout: 60_000,
});
kube.close();

function readJournal(): JournalLine[] {
  try {
    return Deno.readTextFileSync(journal).trim().split("\n").map((line) => JSON.parse(line));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}
