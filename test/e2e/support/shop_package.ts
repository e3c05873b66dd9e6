/**
 * A package with several components, charts, a manifest and a Service that `zarf connect` knows, made
 * by the real zarf. What answers is the example's server.
 *
 * @module
 */
import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { HELLO } from "./agent.ts";
import { zarfDecompress } from "./zarf_create.ts";
import { zarfCreate } from "./zarf.ts";
import { writeSource } from "./zarf_sources.ts";

/** The image of the example package, whose archive {@linkcode helloArchive} writes. */
export const HELLO_IMAGE = "docker.io/library/hello:0.1.0";

/** The names of the shop's components, in their order. */
export const SHOP_COMPONENTS = ["base", "web", "extra"] as const;

/** What whoever removes `extra` leaves on the namespace. */
export const REMOVED_ANNOTATION = "shop.example.com/removed";
const REMOVED =
  `./zarf tools kubectl annotate namespace shop ${REMOVED_ANNOTATION}=extra --overwrite`;

/** Writes an archive of the example's image to `file`, as `imageArchives` take it. */
export async function helloArchive(file: string): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "holdfast-hello-" });
  try {
    await zarfDecompress(HELLO, `${directory}/hello`);
    const { success, stderr } = await new Deno.Command("tar", {
      args: ["--create", "--file", file, "--directory", `${directory}/hello/images`, "."],
    }).output();
    assert(success, new TextDecoder().decode(stderr));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/**
 * Makes a version of the shop in `directory`, which must be new.
 *
 * @param archive of the example's image, see {@linkcode helloArchive}.
 * @returns the path of the package's file.
 */
export async function shopPackage(
  directory: string,
  version: string,
  archive: string,
): Promise<string> {
  const chart = (name: string) => ({ name, version: "0.1.0", namespace: "shop", localPath: name });
  const source = await writeSource(`${directory}/source`, {
    metadata: { name: "shop", version },
    components: [
      {
        name: "base",
        required: true,
        manifests: [{ name: "base", namespace: "shop", files: ["base.yaml"] }],
      },
      {
        name: "web",
        required: true,
        imageArchives: [{ path: archive, images: [HELLO_IMAGE] }],
        charts: [chart("web")],
      },
      {
        name: "extra",
        default: true,
        charts: [chart("extra")],
        manifests: [{ name: "extra", namespace: "shop", files: ["extra.yaml"] }],
        actions: { onRemove: { before: [{ cmd: REMOVED }] } },
      },
    ],
  }, {
    "base.yaml": configMap("base", version),
    "extra.yaml": configMap("extra-manifest", version),
    ...chartFiles("web", web(version)),
    ...chartFiles("extra", configMap("extra-chart", version)),
  });
  return await zarfCreate(source, `${directory}/out`, ["--skip-sbom", "--architecture=amd64"]);
}

function configMap(name: string, version: string): string {
  return dump({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { version } });
}

function chartFiles(name: string, template: string): Record<string, string> {
  return {
    [`${name}/Chart.yaml`]: dump({ apiVersion: "v2", name, version: "0.1.0" }),
    [`${name}/templates/all.yaml`]: template,
  };
}

/** The server, and a Service for `zarf connect shop`. */
function web(version: string): string {
  const labels = { app: "web" };
  const env = [
    { name: "GREETING", value: `shop ${version}` },
    ...[["POD_NAME", "metadata.name"], ["NODE_NAME", "spec.nodeName"]].map(([name, fieldPath]) => ({
      name,
      valueFrom: { fieldRef: { fieldPath } },
    })),
  ];
  const container = {
    name: "hello",
    image: HELLO_IMAGE,
    env,
    readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
  };
  const deployment = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: { terminationGracePeriodSeconds: 0, containers: [container] },
      },
    },
  };
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      name: "web",
      labels: { "zarf.dev/connect-name": "shop" },
      annotations: {
        "zarf.dev/connect-description": "The shop",
        "zarf.dev/connect-url": "/start",
      },
    },
    spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] },
  };
  return [deployment, service].map((object) => dump(object)).join("---\n");
}
