import type { Finding, ImageCopy } from "./extension_image.ts";

/** The container's files in the image. */
export const CONTAINER = "rootfs/usr/local/lib/containers/holdfast";
const SPEC = "rootfs/usr/local/etc/containers/holdfast.yaml";

/** An image with one thing wrong. */
export interface Broken {
  /** What it is, after "an image". */
  readonly name: string;
  readonly break: (copy: ImageCopy) => void | Promise<void>;
  /** Who refuses it. */
  readonly by: Finding["by"];
  readonly message: RegExp;
}

const manifest = (old: string | RegExp, by: string) => (copy: ImageCopy) =>
  copy.replace("manifest.yaml", old, by);
const spec = (old: string | RegExp, by: string) => (copy: ImageCopy) => copy.replace(SPEC, old, by);
const depends = (line: string) => spec("  - service: cri\n", `  - service: cri\n  - ${line}\n`);

/** What may go wrong with our image, one thing at a time. */
export const BROKEN_EXTENSIONS: readonly Broken[] = [
  {
    name: "without a manifest",
    break: (copy) => copy.remove("manifest.yaml"),
    by: "talos",
    message: /manifest is missing/,
  },
  {
    name: "without a root",
    break: (copy) => copy.remove("rootfs"),
    by: "talos",
    message: /rootfs is missing/,
  },
  {
    name: "with a file beside the manifest",
    break: (copy) => copy.write("README.md", "x"),
    by: "talos",
    message: /unexpected file "README\.md"/,
  },
  {
    name: "with a manifest of another kind",
    break: manifest("v1alpha1", "v1"),
    by: "talos",
    message: /unsupported manifest version/,
  },
  {
    name: "for a newer Talos",
    break: manifest(">= v1.13.0", ">= v1.14.0"),
    by: "talos",
    message: /can't be satisfied with Talos version 1\.13\.0/,
  },
  {
    name: "for a Talos that is no version",
    break: manifest(">= v1.13.0", "newest"),
    by: "talos",
    message: /error parsing Talos version constraint/,
  },
  {
    name: "with a file outside the paths for extensions",
    break: (copy) => copy.write("rootfs/etc/holdfast.conf", "x"),
    by: "talos",
    message: /path "\/etc\/holdfast\.conf" is not allowed/,
  },
  {
    name: "with a pipe",
    break: (copy) => copy.run("mkfifo", "@rootfs/usr/local/pipe"),
    by: "talos",
    message: /special files are not allowed/,
  },
  {
    name: "with a service of an impossible name",
    break: spec("name: holdfast", "name: Hold.fast"),
    by: "talos",
    message: /"Hold\.fast" is invalid/,
  },
  {
    name: "with a service that does not say when it is restarted",
    break: spec("restart: always\n", ""),
    by: "talos",
    message: /restart kind is invalid/,
  },
  {
    name: "with a service that is restarted at a time Talos does not know",
    break: spec("restart: always", "restart: sometimes"),
    by: "talos",
    message: /sometimes/,
  },
  {
    name: "with a service that starts nothing",
    break: spec(/ {2}entrypoint: .*\n/, ""),
    by: "talos",
    message: /endpoint can't be empty/,
  },
  {
    name: "with a service that depends on nothing in particular",
    break: depends("{}"),
    by: "talos",
    message: /no dependency specified/,
  },
  {
    name: "with two dependencies in one entry",
    break: spec("- service: cri", "- service: cri\n    time: true"),
    by: "talos",
    message: /more than a single dependency/,
  },
  {
    name: "with a dependency on a relative path",
    break: depends("path: run/x"),
    by: "talos",
    message: /path is not absolute/,
  },
  {
    name: "with a dependency on a state of the network that there is not",
    break: depends("network: [adresses]"),
    by: "talos",
    message: /adresses/,
  },
  {
    name: "with two files for one service",
    break: async (copy) => await copy.run("cp", `@${SPEC}`, `@${SPEC.replace(".yaml", "2.yaml")}`),
    by: "talos",
    message: /both name the service "holdfast"/,
  },
  {
    name: "for every Talos",
    break: manifest(/ {2}compatibility:[^]*$/, ""),
    by: "holdfast",
    message: /no version of Talos is named/,
  },
  {
    name: "with a misspelt word in the manifest",
    break: manifest("author:", "autor:"),
    by: "holdfast",
    message: /autor not found/,
  },
  {
    name: "with a misspelt word in the service",
    break: spec("restart: always", "restart: always\nlogsToConsole: true"),
    by: "holdfast",
    message: /logsToConsole not found/,
  },
  {
    name: "with a path that begins like one that is allowed",
    break: (copy) => copy.write("rootfs/usr/localevil/x", "x"),
    by: "holdfast",
    message: /\/usr\/localevil\/x only begins like/,
  },
  {
    name: "with a program that gives rights",
    break: (copy) => {
      copy.write("rootfs/usr/local/bin/su", "x");
      return copy.run("chmod", "4755", "@rootfs/usr/local/bin/su");
    },
    by: "holdfast",
    message: /\/usr\/local\/bin\/su is setuid/,
  },
  {
    name: "with a file that everybody may write",
    break: (copy) => copy.write("rootfs/usr/local/share/x", "x", 0o666),
    by: "holdfast",
    message: /may be written by everybody/,
  },
  {
    name: "with a directory that closes the node's own",
    break: (copy) => copy.run("chmod", "0700", "@rootfs/usr/local"),
    by: "holdfast",
    message: /directory \/usr\/local is 700/,
  },
  {
    name: "with the mark of a machine that takes no upgrades",
    break: (copy) => copy.write("rootfs/usr/local/etc/is-metal-agent", ""),
    by: "holdfast",
    message: /makes Talos refuse upgrades/,
  },
  {
    name: "with its service where Talos does not look",
    break: (copy) => copy.rename(SPEC.replace(/\/[^/]*$/, ""), "rootfs/usr/local/etc/services"),
    by: "holdfast",
    message: /no service is in usr\/local\/etc\/containers/,
  },
  {
    name: "with a service file that Talos does not read",
    break: (copy) => copy.rename(SPEC, SPEC.replace(".yaml", ".yml")),
    by: "holdfast",
    message: /holdfast\.yml: Talos reads only \*\.yaml/,
  },
  {
    name: "with a service file of another name",
    break: (copy) => copy.rename(SPEC, SPEC.replace("holdfast.yaml", "agent.yaml")),
    by: "holdfast",
    message: /agent\.yaml is the file of the service "holdfast"/,
  },
  {
    name: "without the files of the container",
    break: (copy) => copy.rename(CONTAINER, CONTAINER.replace(/holdfast$/, "agent")),
    by: "holdfast",
    message: /there is no usr\/local\/lib\/containers\/holdfast/,
  },
  {
    name: "without the agent",
    break: (copy) => copy.remove(`${CONTAINER}/opt/holdfast/holdfast`),
    by: "holdfast",
    message: /entrypoint \/opt\/holdfast\/holdfast is not in the container/,
  },
  {
    name: "with an agent that cannot be executed",
    break: (copy) => copy.write(`${CONTAINER}/opt/holdfast/holdfast`, "x", 0o644),
    by: "holdfast",
    message: /cannot be executed/,
  },
  {
    name: "with an entrypoint that depends on where it is started",
    break: spec("entrypoint: /opt", "entrypoint: ./opt"),
    by: "holdfast",
    message: /depends on a working directory/,
  },
  {
    name: "that waits for the time",
    break: depends("time: true"),
    by: "holdfast",
    message: /the time may never come/,
  },
  {
    name: "that waits for a configuration",
    break: depends("configuration: true"),
    by: "holdfast",
    message: /a configuration may never come/,
  },
  {
    name: "that waits for the kubelet, whose image it may have to serve",
    break: depends("service: kubelet"),
    by: "holdfast",
    message: /the service kubelet may never come/,
  },
  {
    name: "that waits for etcd, which a worker has not",
    break: depends("service: etcd"),
    by: "holdfast",
    message: /the service etcd may never come/,
  },
  {
    name: "that waits for a file of the site",
    break: depends("path: /var/mnt/holdfast"),
    by: "holdfast",
    message: /the file \/var\/mnt\/holdfast may never come/,
  },
  {
    name: "that waits for the world outside",
    break: depends("network: [connectivity]"),
    by: "holdfast",
    message: /the network's connectivity may never come/,
  },
  {
    name: "that waits for a file with its environment",
    break: spec("  environment:", "  environmentFile: /var/holdfast.env\n  environment:"),
    by: "holdfast",
    message: /the file \/var\/holdfast\.env may never come/,
  },
  {
    name: "that starts before /var is there",
    break: spec("service: cri", "service: containerd"),
    by: "holdfast",
    message: /\/var is there only after the service cri/,
  },
  {
    name: "that is not restarted when it ends well",
    break: spec("restart: always", "restart: untilSuccess"),
    by: "holdfast",
    message: /not always restarted/,
  },
  {
    name: "that mounts a socket, which Talos would create as a directory",
    break: spec("source: /system/run/machined", "source: /system/run/machined/machine.sock"),
    by: "holdfast",
    message: /would be created as a directory/,
  },
  {
    name: "that mounts what Talos would have to create in a read-only root",
    break: spec("source: /tmp", "source: tmpfs"),
    by: "holdfast",
    message: /would be created in the root/,
  },
  {
    name: "that could execute what was dropped",
    break: spec(/, noexec/, ""),
    by: "holdfast",
    message: /programs in \/var\/lib\/holdfast could be executed/,
  },
];
