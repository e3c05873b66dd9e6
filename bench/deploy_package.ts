import { createCipheriv } from "node:crypto";
import { cacheDir, ensureTool, TOOLS, type ToolSpec } from "../extension/build/go_tools.ts";
import { writeOciArchive } from "../extension/build/oci_image.ts";
import { runProgram } from "./programs.ts";

/** A package for one run. */
export interface DeployPackage {
  /** Of package, namespace, Deployment and image. */
  readonly name: string;
  /** Bytes of random data in its image. */
  readonly payload: number;
  /** Equal seeds give equal data. */
  readonly seed: number;
}

const VERSION = "0.1.0";
const CHUNK = 1 << 20;

/** The example's server: it answers, so a pod with it becomes Ready by a real probe. */
const HELLO: ToolSpec = {
  name: "hello",
  module: "examples/hello/app",
  package: ".",
  variables: { "main.version": VERSION },
  cpuMinutes: 1,
};

/**
 * Makes a package with the real `zarf package create`: one image, one Deployment with one pod.
 *
 * @param directory an empty one, for what it is made from.
 * @returns the path of the package file.
 */
export async function makeDeployPackage(
  spec: DeployPackage,
  directory: string,
  signal: AbortSignal,
): Promise<string> {
  const { name, payload, seed } = spec;
  await Deno.mkdir(`${directory}/manifests`, { recursive: true });
  await writeRandom(`${directory}/payload`, payload, seed);
  await writeOciArchive(`${directory}/image.tar`, [{
    references: [imageOf(name)],
    entries: [
      { path: "hello", file: await ensureTool(HELLO), mode: 0o755 },
      { path: "payload", file: `${directory}/payload` },
    ],
    config: { entrypoint: ["/hello"], user: "65532:65532" },
    architecture: "amd64",
    compression: "none",
  }]);
  await Deno.remove(`${directory}/payload`);
  for (const [path, value] of Object.entries(filesOf(name))) {
    // JSON is YAML.
    await Deno.writeTextFile(`${directory}/${path}`, JSON.stringify(value));
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

function imageOf(name: string): string {
  return `docker.io/library/${name}:${VERSION}`;
}

function filesOf(name: string): Readonly<Record<string, unknown>> {
  const labels = { app: name };
  const container = {
    name: "hello",
    image: imageOf(name),
    readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: 1 },
  };
  return {
    "zarf.yaml": {
      apiVersion: "zarf.dev/v1alpha1",
      kind: "ZarfPackageConfig",
      metadata: { name, version: VERSION, architecture: "amd64" },
      components: [{
        name: "bench",
        required: true,
        imageArchives: [{ path: "image.tar", images: [imageOf(name)] }],
        manifests: [{ name: "bench", namespace: name, files: ["manifests/deployment.yaml"] }],
      }],
    },
    "manifests/deployment.yaml": {
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
