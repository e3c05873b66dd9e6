import {
  configMap,
  container,
  definition,
  job,
  PROBE,
  type Source,
  workload,
  yaml,
} from "./sources.ts";

const kubectl = (args: string) => `./zarf tools kubectl -n d-acts ${args}`;
const wait = (cluster: Record<string, string>) => ({ wait: { cluster }, maxTotalSeconds: 30 });

/** Commands before and after, what they set, and waits of all kinds. */
function acts(): Source {
  const web = workload("Deployment", "web", container(undefined, PROBE));
  return {
    definition: definition("d-acts", "1.0.0", [
      {
        name: "prepare",
        actions: { onDeploy: { before: [{ cmd: "echo 5", setVariables: [{ name: "FIVE" }] }] } },
      },
      {
        name: "work",
        manifests: [{ name: "work", namespace: "d-acts", files: ["work.yaml"] }],
        actions: {
          onDeploy: {
            defaults: { env: ["WORD=from-defaults"] },
            before: [
              { cmd: "echo before-$WORD", setVariables: [{ name: "SAID" }] },
              { cmd: "echo '{a: 7}'", setValues: [{ key: ".given", type: "yaml" }] },
            ],
            after: [
              wait({
                kind: "cm",
                name: "work",
                namespace: "d-acts",
                condition: "'{.data.five}'=5",
              }),
              wait({
                kind: "deployment",
                name: "app=web",
                namespace: "d-acts",
                condition: "Available",
              }),
              wait({ kind: "configmap", name: "none", namespace: "d-acts", condition: "delete" }),
              {
                wait: { network: { protocol: "tcp", address: "127.0.0.1:6443" } },
                maxTotalSeconds: 30,
              },
              { cmd: kubectl("create configmap after --from-literal=said=$ZARF_VAR_SAID") },
              { cmd: kubectl("label configmap after from={{ .Values.given.a }}"), template: true },
            ],
            onSuccess: [{ cmd: kubectl("create configmap success --from-literal=a=b") }],
            onFailure: [{ cmd: kubectl("create configmap failure --from-literal=a=b") }],
          },
        },
      },
      {
        name: "after-all",
        manifests: [{ name: "last", namespace: "d-acts", template: true, files: ["last.yaml"] }],
      },
    ], { values: { files: ["values.yaml"] } }),
    files: {
      "values.yaml": yaml({ given: { a: 0 } }),
      "work.yaml": yaml(
        configMap("work", { five: "###ZARF_VAR_FIVE###", said: "###ZARF_VAR_SAID###" }),
        { ...web, metadata: { name: "web", labels: { app: "web" } } },
      ),
      "last.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: last}\n" +
        'data: {given: "{{ .Values.given.a }}", v: "{{ .Variables.SAID }}"}\n',
    },
  };
}

/** One of a group, default and optional components, twice: what is chosen is another part. */
function choice(components: string): Source {
  const part = (name: string, more: Record<string, unknown> = {}) => ({
    name,
    required: false,
    manifests: [{ name, namespace: "d-choice", files: [`${name}.yaml`] }],
    ...more,
  });
  const names = ["needed", "a", "b", "dflt", "one", "two"];
  return {
    definition: definition("d-choice", "1.0.0", [
      part("needed", { required: true }),
      part("a"),
      part("b"),
      part("dflt", { default: true }),
      part("one", { group: "g", default: true }),
      part("two", { group: "g" }),
    ]),
    config: yaml({ package: { deploy: { components } } }),
    files: Object.fromEntries(
      names.map((name) => [`${name}.yaml`, yaml(configMap(name, { chosen: components }))]),
    ),
  };
}

/** What is waited for although nobody applied it with the chart. */
function health(): Source {
  const check = (apiVersion: string, kind: string, name: string) => ({
    apiVersion,
    kind,
    name,
    namespace: "d-health",
  });
  return {
    definition: definition("d-health", "1.0.0", [{
      name: "app",
      manifests: [{ name: "app", namespace: "d-health", noWait: true, files: ["app.yaml"] }],
      healthChecks: [
        check("apps/v1", "Deployment", "web"),
        check("apps/v1", "StatefulSet", "db"),
        check("apps/v1", "DaemonSet", "each"),
        check("batch/v1", "Job", "once"),
        check("v1", "ConfigMap", "cm"),
      ],
    }]),
    files: {
      "app.yaml": yaml(
        workload("Deployment", "web", container(undefined, PROBE)),
        workload("StatefulSet", "db", container(), { serviceName: "db" }),
        workload("DaemonSet", "each"),
        job("once", "true"),
        configMap("cm", { a: "b" }),
      ),
    },
  };
}

/** A package that needs no cluster. */
function local(): Source {
  return {
    definition: definition("d-local", "1.0.0", [{
      name: "only",
      actions: { onDeploy: { before: [{ cmd: "true" }] } },
    }]),
  };
}

/** Packages whose components do something, wait, or are chosen. */
export const ACTING_PACKAGES: readonly Source[] = [
  acts(),
  choice("a,-d*"),
  choice("two,b"),
  health(),
  local(),
];
