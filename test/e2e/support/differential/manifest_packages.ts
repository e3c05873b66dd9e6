import {
  BUSYBOX,
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

/** An image, its pods, namespaces of its own, pull secrets and what `zarf connect` offers. */
function images(): Source {
  const ns = "d-images";
  return {
    definition: definition("d-images", "1.0.0", [{
      name: "web",
      imageArchives: [{ path: "../images.tar", images: [BUSYBOX] }],
      manifests: [
        { name: "namespace", namespace: ns, files: ["namespace.yaml"] },
        { name: "web", namespace: ns, files: ["web.yaml"] },
      ],
    }]),
    files: {
      "namespace.yaml": yaml({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: {
          name: ns,
          labels: { team: "a", "pod-security.kubernetes.io/enforce": "baseline" },
          annotations: { about: "pods" },
        },
      }, {
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "d-images-ignored", labels: { "zarf.dev/agent": "ignore" } },
      }),
      "web.yaml": yaml(
        workload("Deployment", "web", container(undefined, PROBE)),
        service("web", {
          labels: { "zarf.dev/connect-name": "d-web" },
          annotations: { "zarf.dev/connect-description": "the web", "zarf.dev/connect-url": "/x" },
        }),
        { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "own" } },
        job("once", "true"),
        {
          apiVersion: "batch/v1",
          kind: "CronJob",
          metadata: { name: "never" },
          spec: { schedule: "0 0 30 2 *", jobTemplate: { spec: job("x", "true").spec } },
        },
        {
          apiVersion: "v1",
          kind: "Pod",
          metadata: { name: "bare", labels: { app: "bare" } },
          spec: { terminationGracePeriodSeconds: 0, containers: [container()] },
        },
      ),
    },
  };
}

/** Several namespaces, some named by objects only, objects of the cluster, and none of a namespace. */
function raw(): Source {
  return {
    definition: definition("d-raw", "1.0.0", [
      {
        name: "first",
        manifests: [
          { name: "one", namespace: "d-raw-a", files: ["one.yaml", "two.yaml"] },
          { name: "nowhere", files: ["nowhere.yaml"] },
        ],
      },
      { name: "second", manifests: [{ name: "one", namespace: "d-raw-a", files: ["rules.yaml"] }] },
    ]),
    files: {
      "one.yaml": yaml(
        configMap("here", { a: "1" }),
        configMap("there", { a: "2" }, "d-raw-b"),
        { apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, stringData: { k: "v" } },
        configMap("in-default", { a: "3" }, "default"),
      ),
      "two.yaml": yaml({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name: "d-raw-c", labels: { team: "c", "app.kubernetes.io/managed-by": "me" } },
      }, configMap("third", { a: "4" }, "d-raw-c")),
      "nowhere.yaml": yaml(configMap("d-raw-nowhere", { a: "5" })),
      "rules.yaml": yaml(
        {
          apiVersion: "rbac.authorization.k8s.io/v1",
          kind: "ClusterRole",
          metadata: { name: "d-raw" },
          rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }],
        },
        {
          apiVersion: "rbac.authorization.k8s.io/v1",
          kind: "RoleBinding",
          metadata: { name: "d-raw" },
          roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "d-raw" },
          subjects: [{ kind: "ServiceAccount", name: "default", namespace: "d-raw-a" }],
        },
        {
          apiVersion: "scheduling.k8s.io/v1",
          kind: "PriorityClass",
          metadata: { name: "d-raw" },
          value: 7,
        },
        {
          apiVersion: "networking.k8s.io/v1",
          kind: "NetworkPolicy",
          metadata: { name: "d-raw" },
          spec: { podSelector: {} },
        },
        {
          apiVersion: "v1",
          kind: "ResourceQuota",
          metadata: { name: "q" },
          spec: { hard: { pods: "5" } },
        },
      ),
    },
  };
}

/** A kustomization beside a file in one entry. */
function kustomized(): Source {
  return {
    definition: definition("d-kustom", "1.0.0", [{
      name: "site",
      manifests: [{
        name: "both",
        namespace: "d-kustom",
        files: ["cm.yaml"],
        kustomizations: ["k"],
      }],
    }], { variables: [{ name: "COLOUR", default: "red" }] }),
    files: {
      "cm.yaml": yaml(configMap("plain", { colour: "###ZARF_VAR_COLOUR###" })),
      "k/kustomization.yaml": yaml({
        resources: ["base.yaml"],
        namePrefix: "my-",
        labels: [{ pairs: { from: "kustomize" } }],
        configMapGenerator: [{ name: "made", literals: ["colour=###ZARF_VAR_COLOUR###"] }],
        patches: [{
          target: { kind: "ConfigMap", name: "base" },
          patch: '[{"op":"add","path":"/data/b","value":"2"}]',
        }],
      }),
      "k/base.yaml": yaml(configMap("base", { a: "1" })),
    },
  };
}

const ODD = `# a comment first
apiVersion: v1
kind: ConfigMap
metadata: {name: odd, labels: &l {number: "1", "yes": "no"}, annotations: {a: '007'}}
data:
  <<: &d {merged: x}
  block: |
    one
      two ###ZARF_CONST_WORD###

  folded: >-
    a
    b
  lines: |
    ###ZARF_VAR_LINES###
  quoted: "1e3"
  time: "2020-01-01"
  token: '###ZARF_VAR_UNKNOWN### ###ZARF_REGISTRY###'
  templated: "{{ .Values.none }} {{\`x\`}}"
binaryData: {b: AAEC}
---
# nothing but a comment
---

---
apiVersion: v1
kind: List
metadata: {}
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: listed}, data: {a: b}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: listed-2, labels: {own: "1"}}, data: {a: b}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: empty
  labels:
---
{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "json", "annotations": null}}
`;

/** What YAML, variables and constants can look like. */
function odd(): Source {
  return {
    definition: definition("d-odd", "1.0.0-rc.1", [{
      name: "texts",
      manifests: [{ name: "odd", namespace: "d-odd", files: ["odd.yaml", "crlf.yaml"] }],
    }], {
      variables: [
        { name: "LINES", default: "l1\nl2", autoIndent: true },
        { name: "SECRET", default: "hunter2", sensitive: true },
      ],
      constants: [{ name: "WORD", value: "constant: # it" }],
    }),
    files: {
      "odd.yaml": ODD,
      "crlf.yaml": yaml(configMap("crlf", { a: "###ZARF_VAR_SECRET###\nb" })).replaceAll(
        "\n",
        "\r\n",
      ),
    },
  };
}

/** Server-side apply or not, and entries that nobody waits for. */
function applied(): Source {
  const never = workload("Deployment", "never", container(), {
    template: {
      metadata: { labels: { app: "never" } },
      spec: { nodeSelector: { none: "such" }, containers: [container()] },
    },
  });
  return {
    definition: definition("d-apply", "1.0.0", [{
      name: "ways",
      manifests: [
        ...["true", "false", "auto"].map((serverSideApply) => ({
          name: `apply-${serverSideApply}`,
          namespace: "d-apply",
          serverSideApply,
          files: [`${serverSideApply}.yaml`],
        })),
        { name: "no-wait", namespace: "d-apply", noWait: true, files: ["never.yaml"] },
      ],
    }]),
    files: {
      ...Object.fromEntries(
        ["true", "false", "auto"].map((way) => [
          `${way}.yaml`,
          yaml(configMap(way, { way }), service(way, {}, "x")),
        ]),
      ),
      "never.yaml": yaml(never),
    },
  };
}

/** Packages of raw manifests and kustomizations. The first one brings the image of all. */
export const MANIFEST_PACKAGES: readonly Source[] = [
  images(),
  raw(),
  kustomized(),
  odd(),
  applied(),
];
