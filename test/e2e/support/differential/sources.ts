import { dump } from "js-yaml";

/** A package to make and to deploy on both clusters. */
export interface Source {
  /** With `metadata`; names begin with the package's. */
  readonly definition: Readonly<Record<string, unknown>>;
  /** By path below the source's directory. */
  readonly files?: Readonly<Record<string, string>>;
  /** What the site decides, a Zarf config file, which both are given. */
  readonly config?: string;
  /** Files beside the package that `config` names. */
  readonly beside?: Readonly<Record<string, string>>;
  /** How often each of them must fail with it: Holdfast tries again by itself. @default 0 */
  readonly failures?: number;
}

/** The image that pods run: it has a shell, and the first package brings it. */
export const BUSYBOX = "docker.io/library/busybox:1.35";
/** Pods of this image answer the first path with `ok` and end quickly. */
const SERVE = "mkdir /tmp/www; echo ok > /tmp/www/index.html; exec httpd -f -p 8080 -h /tmp/www";

/** YAML of objects, one document each. */
export function yaml(...objects: readonly unknown[]): string {
  return objects.map((one) => dump(one, { lineWidth: -1 })).join("---\n");
}

/** A ConfigMap. */
export function configMap(name: string, data: Record<string, string>, namespace?: string) {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
    data,
  };
}

/** The one container of a pod that serves a page, or does what `script` says. */
export function container(script = SERVE, more: Record<string, unknown> = {}) {
  return {
    name: "main",
    image: BUSYBOX,
    command: ["sh", "-c", script],
    ...more,
  };
}

/** What is probed of {@linkcode container}. */
export const PROBE = {
  readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
};

/** A workload of one pod. */
export function workload(
  kind: "Deployment" | "StatefulSet" | "DaemonSet",
  name: string,
  one: Record<string, unknown> = container(),
  more: Record<string, unknown> = {},
) {
  const labels = { app: name };
  return {
    apiVersion: "apps/v1",
    kind,
    metadata: { name },
    spec: {
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 0, containers: [one] },
      },
      ...more,
    },
  };
}

/** A Job that runs a script once. */
export function job(name: string, script: string, metadata: Record<string, unknown> = {}) {
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, ...metadata },
    spec: {
      backoffLimit: 0,
      template: {
        metadata: { labels: { job: name } },
        spec: {
          restartPolicy: "Never",
          terminationGracePeriodSeconds: 0,
          containers: [container(script)],
        },
      },
    },
  };
}

/** A Service for the pods of an app. */
export function service(name: string, metadata: Record<string, unknown> = {}, app = name) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, ...metadata },
    spec: { selector: { app }, ports: [{ port: 80, targetPort: 8080 }] },
  };
}

/** The files of a chart below a directory. */
export function chart(
  directory: string,
  name: string,
  version: string,
  files: Readonly<Record<string, string>>,
): Record<string, string> {
  const all = { "Chart.yaml": yaml({ apiVersion: "v2", name, version }), ...files };
  return Object.fromEntries(
    Object.entries(all).map(([path, text]) => [`${directory}/${path}`, text]),
  );
}

/** A definition of required components. */
export function definition(
  name: string,
  version: string,
  components: readonly Readonly<Record<string, unknown>>[],
  more: Readonly<Record<string, unknown>> = {},
) {
  return {
    metadata: { name, version },
    ...more,
    components: components.map((component) => ({ required: true, ...component })),
  };
}
