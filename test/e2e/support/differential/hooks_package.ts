import {
  chart,
  configMap,
  container,
  definition,
  job,
  PROBE,
  service,
  type Source,
  workload,
  yaml,
} from "./sources.ts";
import { customKind } from "../custom_kind.ts";

const GROUP = "differ.example";
const WIDGETS = customKind(GROUP, "widgets", "Widget");

const hook = (when: string, more: Record<string, string> = {}) => ({
  annotations: { "helm.sh/hook": when, ...more },
});

/** Asks the application once, in the way of a migration: it must be ready by then. */
const ASK = 'echo "GET / HTTP/1.0" | nc -w 2 $WEB_SERVICE_HOST $WEB_SERVICE_PORT';

/** What a chart can ask for. */
const CONFIG_MAP = `apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-{{ .Chart.Name }}
  labels: {{- include "app.label" . | nindent 4 }}
data:
  count: {{ .Values.deep.count | quote }}
  kept: {{ .Values.deep.kept | quote }}
  list: {{ .Values.list | toJson | quote }}
  site: {{ .Values.site | quote }}
  revision: {{ .Release.Revision | quote }}
  upgrade: {{ .Release.IsUpgrade | quote }}
  zarf: "###ZARF_VAR_TITLE###"
  crd: {{ .Capabilities.APIVersions.Has "${GROUP}/v1" | quote }}
  found: {{ (lookup "v1" "Namespace" "" "default").metadata.name | quote }}
`;

const SUBCHART = {
  "charts/sub/Chart.yaml": yaml({ apiVersion: "v2", name: "sub", version: "9.9.9" }),
  "charts/sub/values.yaml": yaml({ on: true }),
  "charts/sub/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sub}\n" +
    "data: {on: {{ .Values.on | quote }}, global: {{ .Values.global.g | quote }}}\n",
};

/** Hooks before and after, those that stay and those that go, and one that is never run. */
function hookTemplates(version: string): string {
  const first = hook("pre-install,pre-upgrade", { "helm.sh/hook-weight": "-5" });
  const policy = (name: string) => ({ "helm.sh/hook-delete-policy": name });
  const late = "post-install,post-upgrade";
  return yaml(
    { ...configMap("hook-config", { a: version }), metadata: { name: "hook-config", ...first } },
    job("before", "true", hook("pre-install", { "helm.sh/hook-weight": "5" })),
    job("before-upgrade", "true", hook("pre-upgrade", policy("hook-succeeded"))),
    job("after", ASK, hook(late, policy("before-hook-creation"))),
    job("gone", "true", hook("post-install", policy("hook-succeeded"))),
    job("test", "false", hook("test")),
  );
}

/** The chart's own files; its pod takes a while to be ready. */
function chartFiles(version: string): Record<string, string> {
  const web = workload("Deployment", "web", {
    ...container(`sleep 2; ${container().command[2]}`),
    ...PROBE,
    env: [{ name: "TITLE", value: "{{ .Values.title }}" }],
  });
  const deep = { count: 0, kept: true };
  return chart("app", "app", "0.1.0", {
    "values.yaml": yaml({ title: "none", deep, list: [1, 2], sub: {} }),
    "crds/widgets.yaml": yaml(WIDGETS),
    "templates/_helpers.tpl": '{{- define "app.label" -}}tier: "1"{{- end -}}\n',
    "templates/NOTES.txt": "Thank you for {{ .Release.Name }}\n",
    "templates/web.yaml": yaml(
      web,
      service("web", { labels: { "zarf.dev/connect-name": "d-hooks" } }),
    ),
    "templates/widget.yaml": yaml({
      apiVersion: `${GROUP}/v1`,
      kind: "Widget",
      metadata: { name: "{{ .Release.Name }}-widget" },
      spec: { size: 3 },
    }),
    "templates/cm.yaml": CONFIG_MAP,
    "templates/hooks.yaml": hookTemplates(version),
    ...SUBCHART,
  });
}

/** A chart with CRDs, hooks of several kinds and a subchart, which is upgraded. */
export function hooks(version: string): Source {
  const variable = (name: string, path: string) => ({ name, path, description: path });
  return {
    definition: definition("d-hooks", `${version}.0.0`, [{
      name: "app",
      charts: [{
        name: "app",
        version: "0.1.0",
        namespace: "d-hooks",
        localPath: "app",
        valuesFiles: ["base.yaml", "site.yaml"],
        variables: [
          variable("TITLE", "title"),
          variable("COUNT", ".deep.count"),
          variable("KEPT", "deep.kept"),
        ],
      }],
    }], {
      variables: [
        { name: "TITLE", default: `title ${version}` },
        { name: "COUNT" },
        { name: "KEPT", default: "yes" },
      ],
    }),
    config: 'package: { deploy: { set: { COUNT: "3" } } }\n',
    files: {
      ...chartFiles(version),
      "base.yaml": yaml({ site: "base", global: { g: "###ZARF_VAR_TITLE###" } }),
      "site.yaml": yaml({ site: "site" }),
    },
  };
}
