/**
 * The images that a Talos node cannot start without, made of the programs that the test cluster runs,
 * under the names that Talos asks for.
 *
 * @module
 */
import * as v from "valibot";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { librariesOf } from "../../extension/build/image/libraries.ts";
import type { ImageSpec } from "../../extension/build/oci_image.ts";
import type { TarEntry } from "../../extension/build/tar.ts";
import { exec, isFile } from "../../src/std/mod.ts";
import { type Prerequisite, TALOS_IMAGE_PREREQUISITES } from "../cluster/prerequisites.ts";

/** How long a program may take that is asked for its names, in milliseconds. */
const ASK_TIMEOUT = 30_000;
const ARCHITECTURE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
const PATH = "PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin";

const TalosImages = v.strictObject({
  talos: v.string(),
  installer: v.string(),
  images: v.strictObject({
    "coredns": v.string(),
    "etcd": v.string(),
    "flannel": v.string(),
    "kube-apiserver": v.string(),
    "kube-controller-manager": v.string(),
    "kube-network-policies": v.string(),
    "kube-proxy": v.string(),
    "kube-scheduler": v.string(),
    "kubelet": v.string(),
    "pause": v.string(),
  }),
});

/** The images that Talos takes by default, by what they are; full names. */
export type TalosImages = v.InferOutput<typeof TalosImages>;

/** Talos' own list (test/cluster/tools/talosimages). */
export async function talosImages(): Promise<TalosImages> {
  return v.parse(TalosImages, JSON.parse(await ask(await ensureTool(TOOLS.talosImages))));
}

/** The image of a pod's sandbox that the containerd of tests takes where nothing says which. */
export async function sandboxImage(): Promise<string> {
  const config = await ask(await ensureTool(TOOLS.containerd), "config", "default");
  return v.parse(v.string(), /^\s*sandbox = '([^']+)'$/m.exec(config)?.[1]);
}

async function ask(program: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await exec(program, { args, env: {}, timeout: ASK_TIMEOUT });
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${stderr}`);
  return stdout;
}

/**
 * All of Talos' images, and the sandbox of the tests' containerd. CoreDNS, flannel and the network
 * policies are there by name only: their program does nothing but wait.
 *
 * What holds the one program of all of Kubernetes is the lowest layer of each of its images, the same
 * bytes in all.
 */
export async function talosImageSpecs(): Promise<ImageSpec[]> {
  const { images } = await talosImages();
  const kube = await ensureTool(TOOLS.kube);
  const component = (name: keyof typeof images, more: readonly TarEntry[] = []) =>
    imageSpec(images[name], program("kube", kube), [
      { path: `usr/local/bin/${name}`, symlink: "kube" },
      ...more,
    ]);
  const pause = { path: "pause", file: await ensureTool(TOOLS.node), mode: 0o755 };
  const waiting = (name: string) => imageSpec(name, [pause]);
  return [
    imageSpec(images.etcd, program("etcd", await ensureTool(TOOLS.etcd))),
    component("kubelet", kubeletNeeds()),
    component("kube-apiserver"),
    component("kube-controller-manager"),
    component("kube-scheduler"),
    component("kube-proxy", machinePrograms(["nft"])),
    ...[...new Set([images.pause, await sandboxImage()])].map(waiting),
    ...[images.coredns, images.flannel, images["kube-network-policies"]].map(waiting),
  ];
}

/**
 * An image whose programs Talos calls by their paths; only a waiting one has an entry point. Nothing
 * is compressed: the package is.
 */
function imageSpec(
  reference: string,
  entries: readonly TarEntry[],
  above?: readonly TarEntry[],
): ImageSpec {
  const waits = entries.some(({ path }) => path === "pause");
  return {
    references: [reference],
    entries,
    ...(above === undefined ? {} : { layersAbove: [above] }),
    config: { env: [PATH], ...(waits ? { entrypoint: ["/pause"], user: "65535:65535" } : {}) },
    architecture: ARCHITECTURE,
    compression: "none",
  };
}

/** Where Talos calls it (1.13: services/etcd.go, services/kubelet.go, control_plane_static_pod.go). */
function program(name: string, file: string): TarEntry[] {
  return [{ path: `usr/local/bin/${name}`, file, mode: 0o755 }];
}

/** What the kubelet wants beside itself: it mounts volumes, and runs where `/var/run` is the node's. */
function kubeletNeeds(): TarEntry[] {
  return [
    ...machinePrograms(["mount", "umount"]),
    { path: "run", directory: true },
    { path: "var/run", symlink: "../run" },
    { path: "tmp", directory: true, mode: 0o1777 },
    { path: "etc/passwd", content: "root:x:0:0:root:/root:/sbin/nologin\n" },
    { path: "etc/group", content: "root:x:0:\n" },
  ];
}

/** Programs of this machine with their libraries, where they lie here. */
export function machinePrograms(names: readonly string[]): TarEntry[] {
  const files = names.map((name) => {
    const found = TALOS_IMAGE_PREREQUISITES.find(({ file }) => file === name);
    if (found === undefined) throw new Error(`${name} is no prerequisite`);
    return { name, file: findProgram(found) };
  });
  const libraries = librariesOf(files.map(({ file }) => file), ARCHITECTURE);
  return [
    ...files.map(({ name, file }) => ({ path: `usr/bin/${name}`, file, mode: 0o755 })),
    ...libraries.map(({ source, path }) => ({ path, file: source, mode: 0o755 })),
  ];
}

function findProgram({ file, directories, package: name }: Prerequisite): string {
  const path = directories.map((directory) => `${directory}/${file}`).find(isFile);
  if (path === undefined) throw new Error(`there is no ${file}: apt-get install -y ${name}`);
  return path;
}
