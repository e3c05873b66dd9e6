import type { TarEntry } from "../tar.ts";
import type { Architecture } from "./elf.ts";
import { librariesOf } from "./libraries.ts";
import { agentYaml, HOME } from "./service.ts";

/** What an image is put together of. */
export interface Ingredients {
  readonly architecture: Architecture;
  /** The agent. */
  readonly agent: string;
  /** helm and kubectl in one program. */
  readonly helm: string;
  /** Directory of the seed image, an OCI layout. */
  readonly seed: string;
  /** The file system that git, busybox and the libraries are of. @default the machine's own */
  readonly root?: string;
}

/** Programs of the build machine that go into the image, and the Debian package of each. */
export const PROGRAMS = {
  git: { path: "/usr/bin/git", package: "git" },
  gitHttp: { path: "/usr/lib/git-core/git-remote-http", package: "git" },
  busybox: { path: "/usr/bin/busybox", package: "busybox-static" },
} as const;

/** A part of the image, for the table of sizes. */
export interface Part {
  readonly name: string;
  /** Paths from the root of the container's file system. */
  readonly entries: readonly TarEntry[];
  /** Files of the build machine's packages among them. */
  readonly fromPackages?: readonly string[];
}

/** What `sh` and the actions of packages find. Nothing of it needs a right of its own. */
const APPLETS = [
  ...["[", "[[", "ash", "awk", "base64", "basename", "cat", "chgrp", "chmod", "chown", "clear"],
  ...["cmp", "cp", "cut", "date", "dd", "df", "diff", "dirname", "du", "echo", "env", "expand"],
  ...["expr", "factor", "false", "find", "fold", "free", "grep", "egrep", "fgrep", "groups"],
  ...["gunzip", "gzip", "head", "hexdump", "hostname", "id", "kill", "killall", "less", "link"],
  ...["ln", "ls", "md5sum", "mkdir", "mkfifo", "mktemp", "more", "mv", "nc", "nl", "nproc", "od"],
  ...["paste", "pidof", "ping", "printf", "ps", "pwd", "readlink", "realpath", "rev", "rm"],
  ...["rmdir", "sed", "seq", "sh", "sha1sum", "sha256sum", "sha512sum", "shuf", "sleep", "sort"],
  ...["stat", "strings", "stty", "sync", "tac", "tail", "tar", "tee", "test", "time", "timeout"],
  ...["touch", "tr", "true", "truncate", "tty", "uname", "unexpand", "uniq", "unlink", "unxz"],
  ...["unzip", "uptime", "wc", "wget", "which", "whoami", "xargs", "xxd", "xz", "xzcat", "yes"],
  ...["zcat"],
] as const;

/** git's programs that other gits, and git itself, start by name. */
const GIT_NAMES = ["git-upload-pack", "git-receive-pack", "git-upload-archive"];

/** Everything below the container's root. */
export function containerParts(ingredients: Ingredients): Part[] {
  const { root = "" } = ingredients;
  const programs = Object.values(PROGRAMS).map(({ path }) => `${root}${path}`);
  const libraries = librariesOf(
    [ingredients.agent, ingredients.helm, ...programs],
    ingredients.architecture,
    root,
  );
  return [
    { name: "holdfast", entries: agentEntries(ingredients.agent) },
    { name: "helm and kubectl", entries: toolEntries(ingredients.helm) },
    { name: "registry (seed image)", entries: seedEntries(ingredients.seed) },
    {
      name: "git",
      entries: gitEntries(root),
      fromPackages: [PROGRAMS.git.path, PROGRAMS.gitHttp.path],
    },
    { name: "busybox", entries: busyboxEntries(root), fromPackages: [PROGRAMS.busybox.path] },
    {
      name: "glibc and libraries",
      entries: libraries.map(({ source, path }) => ({ path, file: source, mode: 0o755 })),
      fromPackages: libraries.map(({ path }) => `/${path}`),
    },
    { name: "files of the system", entries: SYSTEM_ENTRIES },
  ];
}

function agentEntries(agent: string): TarEntry[] {
  return [
    { path: `${HOME}/holdfast`, file: agent, mode: 0o755 },
    { path: `${HOME}/agent.yaml`, content: agentYaml() },
    { path: "usr/bin/holdfast", symlink: `../../${HOME}/holdfast` },
  ];
}

function toolEntries(helm: string): TarEntry[] {
  return [
    { path: `${HOME}/tools/helm`, file: helm, mode: 0o755 },
    { path: `${HOME}/tools/kubectl`, symlink: "helm" },
    ...["helm", "kubectl"].map((name) => ({
      path: `usr/bin/${name}`,
      symlink: `../../${HOME}/tools/${name}`,
    })),
  ];
}

function seedEntries(directory: string): TarEntry[] {
  const blobs = [...Deno.readDirSync(`${directory}/blobs/sha256`)].map(({ name }) =>
    `blobs/sha256/${name}`
  );
  return ["index.json", "oci-layout", ...blobs].map((path) => ({
    path: `${HOME}/seed/${path}`,
    file: `${directory}/${path}`,
  }));
}

function gitEntries(root: string): TarEntry[] {
  const core = "usr/lib/git-core";
  return [
    { path: "usr/bin/git", file: `${root}${PROGRAMS.git.path}`, mode: 0o755 },
    { path: `${core}/git`, symlink: "../../bin/git" },
    { path: `${core}/git-remote-http`, file: `${root}${PROGRAMS.gitHttp.path}`, mode: 0o755 },
    { path: `${core}/git-remote-https`, symlink: "git-remote-http" },
    ...GIT_NAMES.flatMap((name) => [
      { path: `${core}/${name}`, symlink: "../../bin/git" },
      { path: `usr/bin/${name}`, symlink: "git" },
    ]),
  ];
}

function busyboxEntries(root: string): TarEntry[] {
  return [
    { path: "bin/busybox", file: `${root}${PROGRAMS.busybox.path}`, mode: 0o755 },
    ...APPLETS.map((name) => ({ path: `bin/${name}`, symlink: "busybox" })),
  ];
}

/** What a program expects of a system, and where Talos and the runtime mount. */
const SYSTEM_ENTRIES: readonly TarEntry[] = [
  { path: "etc/passwd", content: "root:x:0:0:root:/tmp:/bin/sh\n" },
  { path: "etc/group", content: "root:x:0:\n" },
  { path: "etc/nsswitch.conf", content: "passwd: files\ngroup: files\nhosts: files dns\n" },
  ...["etc/kubernetes", "etc/ssl/certs", "system/run/machined", "tmp", "var/lib/holdfast"],
  ...["var/lib/kubelet/pki", "var/mnt", "usr/local/etc/holdfast", "proc", "sys", "dev", "run"],
].map((entry) => typeof entry === "string" ? { path: entry, directory: true } : entry);
