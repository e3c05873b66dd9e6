import { exec } from "../../src/std/mod.ts";
import { ClusterError } from "./errors.ts";
import { SYSTEM_PATH } from "./run.ts";

/** Milliseconds that apt-get may take for lists and packages. */
const INSTALL_TIMEOUT = 600_000;

/** What must be on the machine: a file of any of the directories, and the Debian package it is in. */
interface Prerequisite {
  readonly file: string;
  readonly directories: readonly string[];
  readonly package: string;
}

const COMMANDS: Readonly<Record<string, string>> = {
  runc: "runc",
  nft: "nftables",
  ip: "iproute2",
  // The portmap plugin calls it.
  iptables: "iptables",
  nsenter: "util-linux",
  mount: "mount",
  timeout: "coreutils",
  openssl: "openssl",
};

const PREREQUISITES: readonly Prerequisite[] = [
  ...Object.entries(COMMANDS).map(([file, name]) => ({
    file,
    directories: SYSTEM_PATH.split(":"),
    package: name,
  })),
  ...["bridge", "host-local", "portmap", "loopback"].map((file) => ({
    file,
    directories: ["/usr/lib/cni", "/opt/cni/bin"],
    package: "containernetworking-plugins",
  })),
];

/** The Debian packages that are missing, by the files that they would bring. */
export function missingPackages(exists: (path: string) => boolean = isFile): string[] {
  const missing = PREREQUISITES
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
 * @throws {ClusterError} when apt-get is not there or fails.
 */
export async function installSystemPackages(): Promise<string[]> {
  const missing = missingPackages();
  if (missing.length === 0) return [];
  await aptGet(["update", "-q"]);
  await aptGet(["install", "-y", "-q", "--no-install-recommends", ...missing]);
  checkPrerequisites();
  return missing;
}

async function aptGet(args: readonly string[]): Promise<void> {
  // Everything is inherited but the two: a proxy, for one, may be set in the environment.
  const env = { ...Deno.env.toObject(), PATH: SYSTEM_PATH, DEBIAN_FRONTEND: "noninteractive" };
  const result = await exec("apt-get", { args, env, timeout: INSTALL_TIMEOUT });
  if (result.code === 0) return;
  throw new ClusterError({
    reason: "PrerequisiteMissing",
    message: `apt-get ${args[0]} ended with ${result.code}: ${result.stderr.trim().slice(-1_000)}`,
    remedy: `install by hand: ${missingPackages().join(" ")}`,
    disposition: "wait",
  });
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
