import { exec, isFile } from "../../src/std/mod.ts";
import { ClusterError } from "./errors.ts";
import { SYSTEM_PATH } from "./run.ts";

/** Milliseconds that apt-get may take for lists and packages. */
const INSTALL_TIMEOUT = 600_000;

/** What must be on the machine: a file of any of the directories, and the Debian package it is in. */
export interface Prerequisite {
  readonly file: string;
  readonly directories: readonly string[];
  readonly package: string;
}

const CLUSTER_COMMANDS: Readonly<Record<string, string>> = {
  runc: "runc",
  nft: "nftables",
  ip: "iproute2",
  // The portmap plugin calls it.
  iptables: "iptables",
  nsenter: "util-linux",
  mount: "mount",
  timeout: "coreutils",
  openssl: "openssl",
  strace: "strace",
  git: "git",
};

const DISK_COMMANDS: Readonly<Record<string, string>> = {
  nbdkit: "nbdkit",
  nbdfuse: "libnbd-bin",
  "mkfs.ext4": "e2fsprogs",
  "mkfs.xfs": "xfsprogs",
  mount: "mount",
  setsid: "util-linux",
};

function commands(packages: Readonly<Record<string, string>>): Prerequisite[] {
  const directories = SYSTEM_PATH.split(":");
  return Object.entries(packages).map(([file, name]) => ({ file, directories, package: name }));
}

/** The plugins that make the network of pods. */
export const CNI_PLUGINS = ["bridge", "host-local", "portmap", "loopback"] as const;
const CNI_DIRECTORIES: readonly string[] = ["/usr/lib/cni", "/opt/cni/bin"];

/** What the test cluster needs. */
export const CLUSTER_PREREQUISITES: readonly Prerequisite[] = [
  ...commands(CLUSTER_COMMANDS),
  ...CNI_PLUGINS.map((file) => ({
    file,
    directories: CNI_DIRECTORIES,
    package: "containernetworking-plugins",
  })),
];

/**
 * Where a plugin is.
 *
 * @throws {ClusterError} `PrerequisiteMissing`.
 */
export function pluginPath(name: string): string {
  const found = CNI_DIRECTORIES.map((directory) => `${directory}/${name}`).find(isFile);
  if (found !== undefined) return found;
  throw failed(`there is no plugin ${name}`, ["containernetworking-plugins"]);
}

/** What a disk that can lose its power needs (test/powercut). */
export const DISK_PREREQUISITES: readonly Prerequisite[] = commands(DISK_COMMANDS);

/** What pods with a shell need (test/e2e/support/busybox_image.ts). */
export const BUSYBOX_PREREQUISITES: readonly Prerequisite[] = commands({
  busybox: "busybox-static",
});

/** What judges a unit for systemd; none has to run. */
export const SYSTEMD_PREREQUISITES: readonly Prerequisite[] = commands({
  "systemd-analyze": "systemd",
});

/** What Talos' images are made of beside what is built (test/talos/image_specs.ts). */
export const TALOS_IMAGE_PREREQUISITES: readonly Prerequisite[] = commands({
  mount: "mount",
  umount: "mount",
  nft: "nftables",
});

/** What the extension image is made of beside what is built. */
export const EXTENSION_PREREQUISITES: readonly Prerequisite[] = [
  ...BUSYBOX_PREREQUISITES,
  { file: "git-remote-http", directories: ["/usr/lib/git-core"], package: "git" },
];

/** What Talos' imager calls to put an extension into an initramfs, and what looks into one. */
export const IMAGER_PREREQUISITES: readonly Prerequisite[] = commands({
  mksquashfs: "squashfs-tools",
  unsquashfs: "squashfs-tools",
  cpio: "cpio",
  zstd: "zstd",
});

/** What gives one process another wall clock. */
export const CLOCK_PREREQUISITES: readonly Prerequisite[] = [{
  file: "faketime/libfaketimeMT.so.1",
  directories: ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"],
  package: "libfaketime",
}];

/** The Debian packages that are missing, by the files that they would bring. */
export function missingPackages(
  exists: (path: string) => boolean = isFile,
  prerequisites: readonly Prerequisite[] = CLUSTER_PREREQUISITES,
): string[] {
  const missing = prerequisites
    .filter(({ file, directories }) => !directories.some((dir) => exists(`${dir}/${file}`)))
    .map((prerequisite) => prerequisite.package);
  return [...new Set(missing)];
}

/** Why no cluster can run here, in one line, or undefined when nothing is in the way. */
export function obstacle(): string | undefined {
  if (Deno.build.os !== "linux") return "the test cluster needs Linux";
  if (Deno.uid() !== 0) return "the test cluster needs root (network namespaces, mounts, cgroups)";
  const missing = missingPackages();
  if (missing.length === 0) return undefined;
  return `the test cluster needs: apt-get install -y ${missing.join(" ")}`;
}

/** @throws {ClusterError} `PrerequisiteMissing` with one line on what to do. */
export function checkPrerequisites(): void {
  const reason = obstacle();
  if (reason !== undefined) {
    throw new ClusterError({
      reason: "PrerequisiteMissing",
      message: reason,
      disposition: "wait",
    });
  }
}

/**
 * Installs what is missing with apt-get; does nothing when everything is there.
 *
 * @returns the packages that it installed.
 * @throws {ClusterError} when apt-get is not there or fails, or something is missing after it.
 */
export async function installSystemPackages(
  prerequisites: readonly Prerequisite[] = CLUSTER_PREREQUISITES,
): Promise<string[]> {
  const missing = missingPackages(isFile, prerequisites);
  if (missing.length === 0) return [];
  await aptGet(["update", "-q"], missing);
  await aptGet(["install", "-y", "-q", "--no-install-recommends", ...missing], missing);
  const left = missingPackages(isFile, prerequisites);
  if (left.length > 0) throw failed("apt-get ended well, but not everything is there", left);
  return missing;
}

async function aptGet(args: readonly string[], packages: readonly string[]): Promise<void> {
  // Everything is inherited but the two: a proxy, for one, may be set in the environment.
  const env = { ...Deno.env.toObject(), PATH: SYSTEM_PATH, DEBIAN_FRONTEND: "noninteractive" };
  const result = await exec("apt-get", { args, env, timeout: INSTALL_TIMEOUT });
  if (result.code === 0) return;
  const said = result.stderr.trim().slice(-1_000);
  throw failed(`apt-get ${args[0]} ended with ${result.code}: ${said}`, packages);
}

function failed(message: string, packages: readonly string[]): ClusterError {
  return new ClusterError({
    reason: "PrerequisiteMissing",
    message,
    remedy: `install by hand: ${packages.join(" ")}`,
    disposition: "wait",
  });
}
