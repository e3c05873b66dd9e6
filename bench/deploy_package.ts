import { createCipheriv } from "node:crypto";
import { cacheDir, ensureTool, TOOLS } from "../extension/build/go_tools.ts";
import { writeOciArchive } from "../extension/build/oci_image.ts";
import { runProgram } from "./programs.ts";

/** A package for one run. */
export interface DeployPackage {
  /** Of package, namespace, Deployment and image. */
  readonly name: string;
  /** Bytes of random data in its image, in several layers. */
  readonly payload: number;
  /** Whether the objects come as a Helm chart. @default false: as a manifest */
  readonly chart?: boolean;
  /** Equal seeds give equal data. */
  readonly seed: number;
}

const VERSION = "0.1.0";
/** Layers that the payload is spread over, above the one with the program. */
const PAYLOAD_LAYERS = 4;
const CHUNK = 1 << 20;

/**
 * Makes a package with the real `zarf package create`: one image, and one Deployment with one pod.
 *
 * @param directory an empty one, for what it is made from.
 * @returns the path of the package file.
 */
export async function makeDeployPackage(
  spec: DeployPackage,
  directory: string,
  signal: AbortSignal,
): Promise<string> {
  const { name } = spec;
  await Deno.mkdir(`${directory}/chart/templates`, { recursive: true });
  await writeImage(spec, directory);
  for (const [path, value] of Object.entries(filesOf(spec))) {
    // JSON is YAML.
    const text = typeof value === "string" ? value : JSON.stringify(value);
    await Deno.writeTextFile(`${directory}/${path}`, text);
  }
  await runProgram(
    await ensureTool(TOOLS.zarf),
    [
      ...["package", "create", directory, "--confirm", "--skip-sbom", "--output", directory],
      ...["--architecture", "amd64", "--cache", `${cacheDir()}/zarf`, "--tmpdir", directory],
      ...["--no-color", "--log-format", "console"],
    ],
    signal,
    { HOME: directory },
  );
  await Deno.remove(`${directory}/image.tar`);
  return `${directory}/zarf-package-${name}-amd64-${VERSION}.tar.zst`;
}

/**
 * Layers are compressed in a registry, and what is in them here cannot be: as many bytes are unpacked
 * as are pulled.
 */
async function writeImage(spec: DeployPackage, directory: string): Promise<void> {
  const { name, payload, seed } = spec;
  const count = payload === 0 ? 0 : PAYLOAD_LAYERS;
  const parts = Array.from({ length: count }, (_, at) => `${directory}/payload-${at}`);
  for (const [at, part] of parts.entries()) {
    await writeRandom(part, Math.ceil(payload / count), seed * PAYLOAD_LAYERS + at);
  }
  await writeOciArchive(`${directory}/image.tar`, [{
    references: [imageOf(name)],
    // It answers, so a pod with it becomes Ready by a real probe.
    entries: [{ path: "hello", file: await ensureTool(TOOLS.hello), mode: 0o755 }],
    layersAbove: parts.map((file, at) => [{ path: `payload-${at}`, file }]),
    gzipLevel: 0,
    config: { entrypoint: ["/hello"], user: "65532:65532" },
    architecture: "amd64",
  }]);
  for (const part of parts) await Deno.remove(part);
}

function imageOf(name: string): string {
  return `docker.io/library/${name}:${VERSION}`;
}

function filesOf(spec: DeployPackage): Readonly<Record<string, unknown>> {
  const { name, chart = false } = spec;
  const objects = chart
    ? { charts: [{ name, namespace: name, version: VERSION, localPath: "chart" }] }
    : { manifests: [{ name: "bench", namespace: name, files: ["deployment.yaml"] }] };
  return {
    "zarf.yaml": {
      apiVersion: "zarf.dev/v1alpha1",
      kind: "ZarfPackageConfig",
      metadata: { name, version: VERSION, architecture: "amd64" },
      components: [{
        name: "bench",
        required: true,
        imageArchives: [{ path: "image.tar", images: [imageOf(name)] }],
        ...objects,
      }],
    },
    "deployment.yaml": deployment(name),
    "chart/Chart.yaml": { apiVersion: "v2", name, version: VERSION, type: "application" },
    "chart/values.yaml": { greeting: "hello", port: 8080 },
    "chart/templates/deployment.yaml": deployment("{{ .Chart.Name }}"),
    "chart/templates/service.yaml": SERVICE,
    "chart/templates/settings.yaml": SETTINGS,
  };
}

const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: {{ .Chart.Name }}, namespace: {{ .Release.Namespace }}}
spec:
  selector: {app: {{ .Chart.Name }}}
  ports: [{port: {{ .Values.port }}}]
`;

const SETTINGS = `apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Chart.Name }}, namespace: {{ .Release.Namespace }}}
data: {greeting: {{ .Values.greeting | quote }}}
`;

/** One pod that answers. */
function deployment(name: string): unknown {
  const labels = { app: name };
  const container = {
    name: "hello",
    image: imageOf(name),
    readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: name },
    spec: {
      replicas: 1,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 0,
          containers: [container],
        },
      },
    },
  };
}

async function writeRandom(path: string, bytes: number, seed: number): Promise<void> {
  const key = new Uint8Array(16);
  new DataView(key.buffer).setFloat64(0, seed);
  const cipher = createCipheriv("aes-128-ctr", key, new Uint8Array(16));
  const zeros = new Uint8Array(CHUNK);
  using file = await Deno.create(path);
  for (let left = bytes; left > 0; left -= CHUNK) {
    const chunk = cipher.update(left < CHUNK ? zeros.subarray(0, left) : zeros);
    for (let at = 0; at < chunk.length;) at += await file.write(chunk.subarray(at));
  }
}
