/**
 * Packages that fail, each in another way, in a namespace of their own name. Their pods run the
 * example's image, which is in the registry once the example is deployed.
 *
 * @module
 */
import { zarfCreate } from "./zarf.ts";
import { customKind } from "./custom_kind.ts";

/** Kubernetes objects and parts of them. */
export type Json = Readonly<Record<string, unknown>>;

/** A package's definition and the files beside it. */
export interface FailingPackage {
  readonly definition: Json;
  readonly files: Readonly<Record<string, string>>;
}

/** The example's image. */
export const IMAGE = "docker.io/library/hello:0.1.0";

/** A container that listens on port 8080; a second one in the same pod ends at once. */
export const listener = (name: string, more: Json = {}): Json => ({ name, image: IMAGE, ...more });

/** What the second listener of a pod says before it ends. */
export const ADDRESS_IN_USE = /listen tcp :8080: bind: address already in use/;

/** A pod template whose pods end without delay. */
export function podTemplate(spec: Json, app = "web"): Json {
  return {
    metadata: { labels: { app } },
    spec: { terminationGracePeriodSeconds: 0, ...spec },
  };
}

/** A Deployment `web` of one pod. */
export function deployment(spec: Json, app = "web"): Json {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: 1,
      selector: { matchLabels: { app } },
      template: podTemplate(spec, app),
    },
  };
}

/** A ConfigMap of one value. */
export function configMap(name: string, value = "x"): Json {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { value } };
}

/** An object of a kind that the cluster does not have. */
export function gizmo(group: string): Json {
  return { apiVersion: `${group}/v1`, kind: "Gizmo", metadata: { name: "g" } };
}

/** The definition of {@linkcode gizmo}'s kind. */
export function gizmoDefinition(group: string) {
  return customKind(group, "gizmos", "Gizmo");
}

/** A package of components that each have one manifest, by the component's name. */
export function ofManifests(
  name: string,
  components: Readonly<Record<string, Json | readonly Json[]>>,
  version = "1.0.0",
): FailingPackage {
  const files = Object.fromEntries(
    Object.entries(components).map(([component, objects]) => [
      `${component}.yaml`,
      [objects].flat().map((object) => JSON.stringify(object)).join("\n---\n"),
    ]),
  );
  return {
    definition: {
      kind: "ZarfPackageConfig",
      metadata: { name, version },
      components: Object.keys(components).map((component) => ({
        name: component,
        required: true,
        manifests: [{ name: component, namespace: name, files: [`${component}.yaml`] }],
      })),
    },
    files,
  };
}

/** A package of one component `app` with one chart `app`. */
export function ofChart(
  name: string,
  templates: Readonly<Record<string, string>>,
  { schema, values }: { readonly schema?: Json; readonly values?: string } = {},
): FailingPackage {
  const chart = {
    ...{ name: "app", version: "1.0.0", namespace: name, localPath: "chart" },
    ...(values === undefined ? {} : { valuesFiles: ["values.yaml"] }),
  };
  return {
    definition: {
      kind: "ZarfPackageConfig",
      metadata: { name, version: "1.0.0" },
      components: [{ name: "app", required: true, charts: [chart] }],
    },
    files: {
      "chart/Chart.yaml": "apiVersion: v2\nname: app\nversion: 1.0.0\n",
      ...Object.fromEntries(
        Object.entries(templates).map(([file, text]) => [`chart/templates/${file}`, text]),
      ),
      ...(schema === undefined ? {} : { "chart/values.schema.json": JSON.stringify(schema) }),
      ...(values === undefined ? {} : { "values.yaml": values }),
    },
  };
}

/** The package file that the real zarf makes of it below `directory`. */
export async function createPackage(
  directory: string,
  { definition, files }: FailingPackage,
): Promise<string> {
  const { name, version } = definition["metadata"] as { name: string; version: string };
  const own = `${directory}/${name}-${version}`;
  for (
    const [file, text] of Object.entries({ ...files, "zarf.yaml": JSON.stringify(definition) })
  ) {
    const path = `${own}/source/${file}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, text);
  }
  return await zarfCreate(`${own}/source`, own, ["--skip-sbom", "--architecture=amd64"]);
}
