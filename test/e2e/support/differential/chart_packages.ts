import { hooks } from "./hooks_package.ts";
import { chart, definition, type Source, yaml } from "./sources.ts";

/** Charts that share a name: in another namespace, and under another release's name. */
function twins(): Source {
  const one = (namespace: string, more: Record<string, unknown> = {}) => ({
    name: "twin",
    version: "1.0.0",
    namespace,
    localPath: "twin",
    ...more,
  });
  return {
    definition: definition("d-twins", "1.0.0", [
      { name: "a", charts: [one("d-twins-a", { noWait: true })] },
      {
        name: "b",
        charts: [one("d-twins-b", { valuesFiles: ["b.yaml"], serverSideApply: "false" })],
      },
      { name: "c", charts: [one("d-twins-b", { releaseName: "third", schemaValidation: false })] },
    ]),
    files: {
      ...chart("twin", "twin", "1.0.0", {
        "values.yaml": yaml({ which: "plain" }),
        "values.schema.json":
          '{ "type": "object", "properties": { "which": { "type": "string" } } }',
        "templates/cm.yaml":
          "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n" +
          "data: {which: {{ .Values.which | quote }}, ns: {{ .Release.Namespace }}}\n",
      }),
      "b.yaml": yaml({ which: "b" }),
    },
  };
}

/** Package values in manifests, values files and charts. */
function values(): Source {
  return {
    definition: definition("d-values", "1.0.0", [{
      name: "app",
      stateAccess: ["registryCredentials"],
      manifests: [{ name: "cm", namespace: "d-values", template: true, files: ["cm.yaml"] }],
      charts: [{
        name: "app",
        version: "0.1.0",
        namespace: "d-values",
        localPath: "app",
        valuesFiles: ["plain.yaml"],
        templatedValuesFiles: ["templated.yaml"],
        values: [
          { sourcePath: ".app.port", targetPath: ".service.port" },
          { sourcePath: ".app", targetPath: ".all", excludePaths: [".app.secret"] },
        ],
      }],
    }], {
      values: { files: ["values.yaml"], schema: "values.schema.json" },
      variables: [{ name: "V", default: "v" }],
    }),
    config: "package: { deploy: { values: [over.yaml], set_values: { app.replicas: 3 } } }\n",
    beside: { "over.yaml": yaml({ over: "site", app: { port: 9090 } }) },
    files: {
      "values.yaml": yaml({
        app: { port: 8080, replicas: 1, big: 12345678, secret: "s", on: true },
      }),
      "values.schema.json": '{ "type": "object" }',
      "plain.yaml": yaml({ plain: "{{ .Values.app.port }}" }),
      "templated.yaml": "templated: {{ .Values.app.port }}\nfrom: {{ .Variables.V }}\n",
      "cm.yaml": `apiVersion: v1
kind: ConfigMap
metadata: {name: values}
data:
  port: "{{ .Values.app.port }} {{ .Values.app.replicas }} {{ .Values.app.big }}"
  name: "{{ .Pkg.Metadata.Name }} {{ .Pkg.Metadata.Version }} {{ len .Pkg.Components }}"
  state: "{{ .State.Registry.Address }} {{ .State.Registry.PushUsername }} {{ .State.IPFamily }}"
  v: "{{ .Variables.V }} ###ZARF_VAR_V###"
  over: "{{ .Values.over }}"
`,
      ...chart("app", "app", "0.1.0", {
        "values.yaml": yaml({ service: { port: 1 } }),
        "templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: chart}\n" +
          "data:\n  all: {{ .Values | toJson | quote }}\n",
      }),
    },
  };
}

/** Packages of charts. */
export const CHART_PACKAGES: readonly Source[] = [hooks("1"), hooks("2"), twins(), values()];
