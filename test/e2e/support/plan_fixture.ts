import { type PackageSource, POST_RENDERER } from "./deploy_fixture.ts";
import { customKind } from "./custom_kind.ts";

export { POST_RENDERER };

const PAUSE = "registry.k8s.io/pause:3.10.1";
/** The namespace of everything but the widgets. */
export const NAMESPACE = "planned";

/** What differs between two versions of the package. */
export interface PlanVersion {
  readonly version: string;
  /** Stands in many places. */
  readonly text: string;
  /** Of the manifests that are applied by the client first, by the server later. */
  readonly moved: "true" | "false";
  /** Whether Service, label, key and container of the first version are there. */
  readonly old: boolean;
}

/** A package with every kind of step, whose releases are applied in every way. */
export function plannedPackage(
  { version, text, moved, old }: PlanVersion,
  chart: Uint8Array,
): PackageSource {
  const manifest = (name: string, serverSideApply: string, file = name) => ({
    ...{ name, namespace: NAMESPACE, serverSideApply, files: [`${file}.yaml`] },
  });
  return {
    definition: {
      metadata: { name: "planned", version },
      variables: [
        { name: "TEXT", default: text },
        { name: "PASSWORD", sensitive: true, default: "very-secret-0815" },
      ],
      components: [
        {
          name: "web",
          required: true,
          actions: {
            onDeploy: {
              before: [{ cmd: "echo very-secret-0815 > /dev/null" }],
              after: [{
                wait: { cluster: { kind: "ConfigMap", name: "text", namespace: NAMESPACE } },
              }],
              onSuccess: [{ cmd: "true", description: "say that it is done" }],
              onFailure: [{ cmd: "echo failed" }],
            },
          },
          files: [{ source: "f", target: "f.txt" }],
          manifests: [
            manifest("web", "auto"),
            manifest("client", "false"),
            manifest("moved", moved),
          ],
          charts: [{ name: "tool", version: "1.2.3", namespace: NAMESPACE, noWait: true }],
          healthChecks: [
            { apiVersion: "apps/v1", kind: "Deployment", name: "web", namespace: NAMESPACE },
          ],
        },
        { name: "crds", required: true, manifests: [manifest("crds", "auto")] },
        {
          name: "gadgets",
          required: true,
          actions: { onDeploy: { before: [{ cmd: "echo x", setVariables: [{ name: "SET" }] }] } },
          manifests: [manifest("gadget", "auto"), manifest("set", "auto")],
        },
        { name: "extra", manifests: [manifest("extra", "auto")] },
      ],
    },
    files: {
      "components/web/files/0/f.txt": text,
      "components/web/charts/tool-1.2.3.tgz": chart,
      "components/web/manifests/web-0.yaml": several(
        deployment("web", text, old),
        configMap("text", text, old),
        {
          apiVersion: "v1",
          kind: "Secret",
          metadata: { name: "secret" },
          stringData: { password: `${text} ###ZARF_VAR_PASSWORD###` },
        },
        ...(old
          ? [{
            apiVersion: "v1",
            kind: "Service",
            metadata: { name: "old" },
            spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
          }]
          : []),
      ),
      "components/web/manifests/client-0.yaml": several(
        deployment("client", text, old),
        configMap("client", text, old),
      ),
      "components/web/manifests/moved-0.yaml": several(configMap("moved", text, true)),
      "components/crds/manifests/crds-0.yaml": several(crd("gadgets", "Gadget")),
      "components/gadgets/manifests/gadget-0.yaml": several({
        ...{ apiVersion: "plan.example/v1", kind: "Gadget", metadata: { name: "one" } },
        spec: { text },
      }),
      "components/gadgets/manifests/set-0.yaml": several(
        configMap("set", "###ZARF_VAR_SET###", old),
      ),
      "components/extra/manifests/extra-0.yaml": several(configMap("extra", text, old)),
    },
  };
}

function several(...objects: readonly unknown[]): string {
  return objects.map((object) => `---\n${JSON.stringify(object)}\n`).join("");
}

function deployment(name: string, text: string, old: boolean) {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels: { app: name, ...(old ? { old: "label" } : {}) } },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name, "zarf.dev/agent": "ignore" } },
        spec: {
          terminationGracePeriodSeconds: 0,
          containers: [
            { name: "main", image: PAUSE, env: [{ name: "TEXT", value: text }] },
            ...(old ? [{ name: "old", image: PAUSE }] : []),
          ],
        },
      },
    },
  };
}

function configMap(name: string, text: string, old: boolean) {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name },
    data: { text, same: "always", ...(old ? { old: "key" } : {}) },
  };
}

/** A definition of a kind of group `plan.example`. */
export function crd(plural: string, kind: string) {
  return customKind("plan.example", plural, kind);
}

/** The files of a chart with a CRD, an object of it, a hook, and what is made anew each time. */
export function chartFiles(text: string): Record<string, string> {
  return {
    "Chart.yaml": "apiVersion: v2\nname: tool\nversion: 1.2.3\n",
    "values.yaml": `text: ${text}\n`,
    "crds/crd.yaml": JSON.stringify(crd("things", "Thing")),
    "templates/all.yaml": `apiVersion: v1
kind: ConfigMap
metadata: { name: tool }
data:
  text: {{ .Values.text }}
  random: {{ randAlphaNum 12 }}
  revision: "{{ .Release.Revision }} {{ .Release.IsUpgrade }}"
  seen: "{{ with lookup "v1" "ConfigMap" "${NAMESPACE}" "text" }}{{ .data.text }}{{ end }}"
---
apiVersion: plan.example/v1
kind: Thing
metadata: { name: thing }
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: hook
  annotations: { helm.sh/hook: "pre-install,pre-upgrade" }
data: { text: {{ .Values.text }} }
`,
  };
}
