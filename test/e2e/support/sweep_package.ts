import { dockerArchive, HELLO_WORLD } from "./image_archives.ts";
import { zarfCreate } from "./zarf.ts";
import { customKind } from "./custom_kind.ts";

/** Where the packages' files go, and where their actions say that they run; paths in the node. */
export const SWEEP_ROOT = "/var/lib/sweep";

/** The three versions of a package with every kind of step: a first one, an upgrade, a bad one. */
export type SweepVersion = 1 | 2 | 3;

/** How often each action of a version is run when nothing happens, in order. */
export const SWEEP_RUNS: Readonly<Record<SweepVersion, readonly string[]>> = {
  1: ["set", "values", "template", "slow", "after", "success", "charts-before"],
  2: ["set", "values", "template", "slow", "after", "success", "charts-before"],
  3: ["set", "values", "template", "slow", "after", "success", "charts-before", "failure"],
};

/**
 * Makes a version of the package `name` with the real zarf. Everything in it carries the package's
 * name, so that several can be deployed beside one another.
 *
 * @param repository URL of a git repository
 */
export async function sweepPackage(
  directory: string,
  name: string,
  version: SweepVersion,
  repository: string,
): Promise<string> {
  const source = `${directory}/${name}-${version}`;
  const files = sourcesOf(name, version);
  for (const [path, text] of Object.entries(files)) {
    await Deno.mkdir(`${source}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await Deno.writeTextFile(`${source}/${path}`, text);
  }
  await dockerArchive("docker-graph-driver-image-store", `${source}/hello-world.tar`);
  await Deno.writeTextFile(
    `${source}/zarf.yaml`,
    JSON.stringify(definitionOf(name, version, repository)),
  );
  const flags = ["--architecture=amd64", "--skip-sbom", "--features=values=true"];
  return await zarfCreate(source, `${directory}/${name}-${version}-made`, flags);
}

function definitionOf(name: string, version: SweepVersion, repository: string) {
  return {
    kind: "ZarfPackageConfig",
    metadata: { name, version: `${version}.0.0` },
    constants: [{ name: "WORD", value: "constant" }],
    variables: [{ name: "GIVEN", default: `given-${version}` }],
    values: { files: ["values.yaml"] },
    components: [
      actions(name, version),
      placed(name),
      { name: "sources", required: true, repos: [repository] },
      charts(name, version),
      { name: "left-out", manifests: [{ name: "m", namespace: name, files: ["raw.yaml"] }] },
    ],
  };
}

/** A command that says that it runs, does something, and says that it has ended. */
function says(
  name: string,
  version: SweepVersion,
  what: string,
  then = "",
): Record<string, unknown> {
  const file = `${SWEEP_ROOT}/${name}/runs-${version}`;
  return { cmd: `echo "begin ${what}" >> ${file}; ${then}; echo "end ${what}" >> ${file}` };
}

function actions(name: string, version: SweepVersion) {
  const say = (what: string, then = ":") => says(name, version, what, then);
  return {
    name: "actions",
    required: true,
    actions: {
      onDeploy: {
        before: [
          { ...say("set", "echo set-$ZARF_VAR_GIVEN"), setVariables: [{ name: "SET" }] },
          {
            ...say("values", "echo '{deep: {word: fromaction}}'"),
            setValues: [{ key: ".fromaction", type: "yaml" }],
          },
          {
            ...say("template", "echo {{ .Values.app.word }} > templated.txt"),
            template: true,
          },
          { wait: { network: { protocol: "tcp", address: "127.0.0.1:6443" } } },
          say("slow", "sleep 0.4"),
        ],
        after: [
          say("after", `cp templated.txt ${SWEEP_ROOT}/${name}/templated.txt`),
          { wait: { cluster: { kind: "namespace", name: "zarf" } } },
        ],
        onSuccess: [say("success")],
        onFailure: [say("actions-failure")],
      },
    },
  };
}

function placed(name: string) {
  return {
    name: "files",
    required: true,
    files: [
      { source: "text.txt", target: `${SWEEP_ROOT}/${name}/files/text.txt` },
      {
        source: "run.sh",
        target: `${SWEEP_ROOT}/${name}/files/run.sh`,
        executable: true,
        symlinks: [`${SWEEP_ROOT}/${name}/files/link`],
      },
      { source: "tree", target: `${SWEEP_ROOT}/${name}/files/tree` },
    ],
  };
}

function charts(name: string, version: SweepVersion) {
  const say = (what: string) => says(name, version, what, ":");
  const cr = { kind: `things.${name}.example`, name: "one", namespace: name };
  return {
    name: "charts",
    required: true,
    imageArchives: [{ path: "hello-world.tar", images: [HELLO_WORLD] }],
    manifests: [
      { name: "raw", namespace: name, files: ["raw.yaml"] },
      { name: "built", namespace: name, kustomizations: ["built"] },
    ],
    charts: [{
      name: "tool",
      version: "1.0.0",
      localPath: "tool",
      namespace: name,
      valuesFiles: ["tool-values.yaml"],
      variables: [{ name: "SET", description: "what is set", path: "fromvariable" }],
      values: [{ sourcePath: ".fromaction.deep", targetPath: ".fromvalues" }],
    }],
    healthChecks: [{ apiVersion: "apps/v1", kind: "Deployment", name: "web", namespace: name }],
    actions: {
      onDeploy: {
        before: [say("charts-before")],
        after: [{ wait: { cluster: { ...cr, condition: "{.spec.word}=one" } } }],
        onFailure: [say("failure")],
      },
    },
  };
}

function sourcesOf(name: string, version: SweepVersion): Record<string, string> {
  return {
    "values.yaml": "app: {word: fromvalues}\nfromaction: {deep: {word: none}}\n",
    "text.txt": "filled in: ###ZARF_VAR_SET### ###ZARF_CONST_WORD###\nlast line",
    "run.sh": "#!/bin/sh\necho ###ZARF_VAR_GIVEN###\n",
    "tree/a": "a\n",
    "tree/below/b": "###ZARF_VAR_GIVEN###\n",
    "raw.yaml": raw(name, version),
    "built/kustomization.yaml": "resources: [map.yaml]\nnamePrefix: built-\n",
    "built/map.yaml": map("map", version === 1 ? "first" : "second"),
    "tool/Chart.yaml": `apiVersion: v2\nname: tool\nversion: 1.0.0\nappVersion: "${version}"\n`,
    "tool/values.yaml": "own: default\nfromvariable: none\nfromvalues: {word: none}\n",
    "tool-values.yaml": "own: '###ZARF_CONST_WORD###'\n",
    "tool/crds/crd.yaml": JSON.stringify(customKind(`${name}.example`, "things", "Thing")),
    "tool/templates/all.yaml": chartObjects(name),
  };
}

/** The first version has an object that the second has not; the third has one that fails. */
function raw(name: string, version: SweepVersion): string {
  const pod = "selector: {matchLabels: {app: web}}\n  template:\n" +
    "    metadata: {labels: {app: web, zarf.dev/agent: ignore}}\n    spec:\n" +
    "      terminationGracePeriodSeconds: 0\n" +
    '      containers: [{name: web, image: "registry.k8s.io/pause:3.10.1"}]\n';
  return [
    `apiVersion: v1\nkind: Namespace\nmetadata: {name: ${name}, labels: {owner: sweep}}\n`,
    map("raw", `version ${version} ###ZARF_VAR_SET###`),
    `apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  ${pod}`,
    ...(version === 1 ? [map("removed", "x")] : []),
    ...(version === 3 ? [FAILING_POD] : []),
  ].join("---\n");
}

/** Never ready, and failed after a second. */
const FAILING_POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: fails, labels: " +
  "{zarf.dev/agent: ignore}}\nspec:\n  activeDeadlineSeconds: 1\n  restartPolicy: Never\n" +
  "  terminationGracePeriodSeconds: 0\n  readinessGates: [{conditionType: lab.example/never}]\n" +
  '  containers: [{name: c, image: "registry.k8s.io/pause:3.10.1"}]\n';

function map(name: string, value: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {value: "${value}"}\n`;
}

function chartObjects(name: string): string {
  return `apiVersion: v1
kind: ConfigMap
metadata: {name: tool}
data:
  values: {{ printf "%s %s %s" .Values.own .Values.fromvariable .Values.fromvalues.word | quote }}
  version: {{ .Chart.AppVersion | quote }}
---
apiVersion: ${name}.example/v1
kind: Thing
metadata: {name: one}
spec: {word: one}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: hook
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 2
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: "${HELLO_WORLD}"}]
`;
}
