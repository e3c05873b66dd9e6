import { librariesOf } from "../../extension/build/image/libraries.ts";
import { moduleDirectory } from "../../extension/build/go_module.ts";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import type { TarEntry } from "../../extension/build/tar.ts";
import { isFile } from "../../src/std/mod.ts";

const ARCHITECTURE = Deno.build.arch === "aarch64" ? "arm64" : "amd64";
const TALOS_MODULE = "github.com/siderolabs/talos";

/** Directories that something is mounted on, or that machined, containerd and the kubelet expect. */
const DIRECTORIES = [
  ...["boot/EFI", "dev", "proc", "sys", "run", "tmp", "var", "mnt", ".extra", "system/state"],
  ...["opt/cni/bin", "opt/containerd/bin", "opt/containerd/lib"],
  ...["usr/lib/modules", "usr/lib64", "usr/libexec/kubernetes", "usr/share/spdx"],
  ...["usr/local/lib/kubelet/credentialproviders", "usr/local/share"],
  ...["usr/local/etc/containers", "usr/local/lib/containers"],
  ...["etc/cri/conf.d/hosts", "etc/cni/net.d", "etc/kubernetes/manifests", "etc/lvm"],
];
/** Files that machined mounts its own over. */
const PLACEHOLDERS = [
  ...["etc/resolv.conf", "etc/hosts", "etc/hostname", "etc/machine-id"],
  ...["etc/ssl/certs/ca-certificates.crt", "etc/iscsi/initiatorname.iscsi"],
  ...["etc/nvme/hostid", "etc/nvme/hostnqn", "etc/selinux/targeted/contexts/files/file_contexts"],
  ...["etc/cri/conf.d/cri.toml", "etc/cri/conf.d/01-registries.part"],
  ...["etc/cri/conf.d/20-customization.part", "etc/cri/conf.d/base-spec.json"],
  // How machined knows that it is in a container (Talos 1.13, internal/pkg/containermode).
  "usr/etc/in-container",
];
const LINKS: Readonly<Record<string, string>> = {
  ...{ bin: "usr/bin", sbin: "usr/bin", lib: "usr/lib", lib64: "usr/lib64", "usr/sbin": "bin" },
  "etc/localtime": "/usr/share/zoneinfo/Etc/UTC",
  "etc/ssl/certs/ca-certificates": "ca-certificates.crt",
  "etc/pki": "/etc/ssl",
  "etc/ca-certificates": "/etc/ssl",
  // Names by which machined is called as another program.
  ...{ "usr/bin/poweroff": "init", "usr/bin/shutdown": "init", "usr/bin/dashboard": "init" },
};
/** Where files of the Talos module go, by where they lie below its hack/. */
const CONFIGURATION: Readonly<Record<string, string>> = {
  "containerd.toml": "etc/containerd/config.toml",
  "cri-containerd.toml": "etc/cri/containerd.toml",
  "cri-plugin.part": "etc/cri/conf.d/00-base.part",
  "nfsmount.conf": "etc/nfsmount.conf",
  "zoneinfo/Etc/UTC": "usr/share/zoneinfo/Etc/UTC",
};

/** What the root of a Talos node is made of, without machined and without extensions. */
export async function rootEntries(): Promise<TarEntry[]> {
  const hack = `${await moduleDirectory(TOOLS.machined.module, TALOS_MODULE)}/hack`;
  return [
    ...DIRECTORIES.map((path): TarEntry => ({ path, directory: true })),
    ...PLACEHOLDERS.map((path) => ({ path, content: "" })),
    ...Object.entries(LINKS).map(([path, symlink]) => ({ path, symlink })),
    ...Object.entries(CONFIGURATION).map(([from, path]) => ({ path, file: `${hack}/${from}` })),
    { path: "etc/os-release", content: 'NAME="Talos"\nID=talos\nVERSION_ID=v1.13.0\n' },
    program("containerd", await ensureTool(TOOLS.containerd)),
    program("containerd-shim-runc-v2", await ensureTool(TOOLS.shim)),
    program("runc", await ensureTool(TOOLS.runcShim)),
    ...runc(),
  ];
}

function program(name: string, file: string): TarEntry {
  return { path: `usr/bin/${name}`, file, mode: 0o755 };
}

/** The machine's runc, which the one by that name becomes, and the libraries that it needs. */
function runc(): TarEntry[] {
  const file = ["/usr/sbin/runc", "/usr/bin/runc"].find(isFile) ?? "/usr/sbin/runc";
  const libraries = librariesOf([file], ARCHITECTURE)
    .map(({ source, path }) => ({ path: `usr/${path}`, file: source, mode: 0o755 }));
  return [program("runc.real", file), ...libraries];
}
