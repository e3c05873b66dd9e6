import assert from "node:assert/strict";
import { load } from "js-yaml";
import * as v from "valibot";
import { exec, type ExecResult } from "../../../src/std/mod.ts";
import { freeAddress } from "../../fakes/free_address.ts";

/** How long a command of the runtime may take, in milliseconds. */
const TIMEOUT = 60_000;
/** Milliseconds of a unit of `/proc/PID/stat` (USER_HZ). */
const TICK = 10;
/** Milliseconds between two attempts to end a container that is not there yet. */
const KILL_PAUSE = 20;
const SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Talos never gives these to a service (Talos 1.13, constants.DefaultDroppedCapabilities). */
const DROPPED = ["CAP_SYS_BOOT", "CAP_SYS_MODULE"];
/** Names by number (linux/capability.h), of which a process here may have the first 41. */
const CAPABILITIES = [
  ...["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID"],
  ...["SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW"],
  ...["IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT"],
  ...["SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD"],
  ...["LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG"],
  ...["WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE"],
].map((name) => `CAP_${name}`);

const mountSchema = v.object({
  source: v.string(),
  destination: v.string(),
  type: v.string(),
  options: v.array(v.string()),
});
const specSchema = v.object({
  name: v.string(),
  container: v.object({
    entrypoint: v.string(),
    args: v.array(v.string()),
    environment: v.array(v.string()),
    mounts: v.array(mountSchema),
  }),
});

/** What containerd mounts by itself (containerd 2.2, pkg/oci/mounts.go). */
const RUNTIME_MOUNTS = [
  { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
  {
    ...{ destination: "/dev/pts", type: "devpts", source: "devpts" },
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "ro"] },
  { destination: "/run", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
];

/** How the service is run. */
export interface ExtensionContainerOptions {
  /** The unpacked extension image. */
  readonly extension: string;
  /** A directory for everything of the container; it stands for the node's root. */
  readonly directory: string;
  /** What an ExtensionServiceConfig would add to the environment. */
  readonly environment?: readonly string[];
  /** What one would mount, content by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** More that is mounted to be read, file of this machine by path. */
  readonly binds?: Readonly<Record<string, string>>;
  /** The node's host name when it starts. @default this machine's */
  readonly hostname?: string;
}

/**
 * The extension's service in the real runc, with what Talos makes of its spec (Talos 1.13,
 * internal/app/machined/pkg/system/services/extension.go): own process, mount, IPC and host name
 * namespaces, the host's network, a read-only root, no more privileges. What it mounts of the node
 * lies below a directory of the test.
 */
export class ExtensionContainer implements AsyncDisposable {
  readonly registry = freeAddress();
  readonly status = freeAddress();
  /** The unpacked image that it is started from next. */
  extension: string;
  readonly #options: ExtensionContainerOptions;
  readonly #id = `holdfast-ext-${crypto.randomUUID().slice(0, 8)}`;
  #child: Deno.ChildProcess | undefined;

  constructor(options: ExtensionContainerOptions) {
    this.#options = options;
    this.extension = options.extension;
  }

  /** Path on this machine of a path of the node. */
  node(path: string): string {
    return `${this.#options.directory}/node${path}`;
  }

  /** Path on this machine of one of the {@linkcode ExtensionContainerOptions.files}. */
  file(path: string): string {
    return `${this.#options.directory}/${path.slice(1).replaceAll("/", "-")}`;
  }

  /** Starts it, anew where it has ended; returns at once. Its log goes on. */
  async start(): Promise<void> {
    const { directory } = this.#options;
    await Deno.mkdir(`${directory}/bundle`, { recursive: true });
    const config = JSON.stringify(await this.#config());
    await Deno.writeTextFile(`${directory}/bundle/config.json`, config);
    this.#child = new Deno.Command("sh", {
      args: ["-c", 'exec "$@" >>"$LOG" 2>&1', "sh", ...this.#runc("run"), this.#id],
      env: { LOG: `${directory}/log`, BUNDLE: "" },
      cwd: `${directory}/bundle`,
      stdin: "null",
    }).spawn();
  }

  /** Runs a command in it. */
  async exec(...command: readonly string[]): Promise<ExecResult> {
    const [program = "", ...args] = [...this.#runc("exec"), this.#id, ...command];
    return await exec(program, { args, env: { PATH: SYSTEM_PATH }, timeout: TIMEOUT });
  }

  /** The agent's resident memory in bytes. */
  async resident(): Promise<number> {
    const { stdout } = await this.exec("cat", "/proc/1/status");
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(stdout)?.[1];
    return Number(kilobytes ?? assert.fail(stdout)) * 1024;
  }

  /** How long its main thread has waited for a processor, in milliseconds (Linux, sched-stats.rst). */
  async processorDelay(): Promise<number> {
    const { stdout } = await this.exec("cat", "/proc/1/schedstat");
    return Number(stdout.split(" ")[1] ?? assert.fail(stdout)) / 1_000_000;
  }

  /** The processor time that the agent has taken, in milliseconds (proc(5), stat). */
  async processorTime(): Promise<number> {
    const { stdout } = await this.exec("cat", "/proc/1/stat");
    const fields = stdout.slice(stdout.lastIndexOf(")") + 2).split(" ");
    const [user, system] = [fields[11], fields[12]].map(Number);
    assert(user !== undefined && system !== undefined, stdout);
    return (user + system) * TICK;
  }

  /** What it has said. */
  log(): string {
    try {
      return Deno.readTextFileSync(`${this.#options.directory}/log`);
    } catch {
      return "";
    }
  }

  /** How it ended by itself, or at a signal. */
  async end(signal?: "TERM" | "KILL"): Promise<Deno.CommandStatus> {
    const { status } = this.#child ?? assert.fail("it was not started");
    // The runtime may not have made the container yet.
    let hasEnded = false;
    void status.then(() => hasEnded = true);
    while (signal !== undefined && !hasEnded && !await this.#call("kill", this.#id, signal)) {
      await new Promise((resolve) => setTimeout(resolve, KILL_PAUSE));
    }
    return await status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child === undefined) return;
    await this.end("KILL");
    await this.#call("delete", "--force", this.#id);
  }

  #runc(...args: readonly string[]): string[] {
    return ["runc", "--root", `${this.#options.directory}/runc`, ...args];
  }

  /** Whether the runtime did it. */
  async #call(...args: readonly string[]): Promise<boolean> {
    const [program = "", ...rest] = this.#runc(...args);
    const options = { args: rest, env: { PATH: SYSTEM_PATH }, timeout: TIMEOUT };
    return (await exec(program, options)).code === 0;
  }

  async #config(): Promise<unknown> {
    const { environment = [], hostname } = this.#options;
    const root = `${this.extension}/rootfs/usr/local`;
    const text = await Deno.readTextFile(`${root}/etc/containers/holdfast.yaml`);
    const { name, container } = v.parse(specSchema, load(text));
    const own = [
      `HOLDFAST_REGISTRY_ADDRESS=${this.registry}`,
      `HOLDFAST_STATUS_ADDRESS=${this.status}`,
      `HOLDFAST_ADMISSION_ADDRESS=${freeAddress()}`,
      `HOLDFAST_GIT_ADDRESS=${freeAddress()}`,
      `HOLDFAST_PEER_ADDRESS=${freeAddress()}`,
    ];
    const capabilities = CAPABILITIES.filter((each) => !DROPPED.includes(each) && isOurs(each));
    const sets = ["bounding", "effective", "permitted"].map((set) => [set, capabilities]);
    return {
      ociVersion: "1.0.2",
      process: {
        user: { uid: 0, gid: 0 },
        args: [container.entrypoint, ...container.args],
        env: [...container.environment, ...own, ...environment],
        cwd: "/",
        capabilities: Object.fromEntries(sets),
        noNewPrivileges: true,
      },
      root: { path: `${root}/lib/containers/${name}`, readonly: true },
      ...(hostname === undefined ? {} : { hostname }),
      mounts: [...RUNTIME_MOUNTS, ...await this.#mounts(container.mounts)],
      linux: {
        namespaces: ["pid", "ipc", "uts", "mount"].map((type) => ({ type })),
        maskedPaths: ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
        readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
      },
    };
  }

  /** The spec's own, of which Talos creates every source, and the files of the site. */
  async #mounts(mounts: readonly v.InferOutput<typeof mountSchema>[]): Promise<unknown[]> {
    const placed = mounts.map((mount) => ({ ...mount, source: this.node(mount.source) }));
    for (const { source } of placed) await Deno.mkdir(source, { recursive: true, mode: 0o700 });
    for (const [path, content] of Object.entries(this.#options.files ?? {})) {
      const source = this.file(path);
      await Deno.writeTextFile(source, content);
      placed.push({ source, destination: path, type: "bind", options: ["ro", "bind"] });
    }
    for (const [destination, source] of Object.entries(this.#options.binds ?? {})) {
      placed.push({ source, destination, type: "bind", options: ["ro", "bind"] });
    }
    return placed;
  }
}

/** Whether this process may hand on a capability; in a container it may not have all. */
function isOurs(name: string): boolean {
  const line = /^CapBnd:\s+(\S+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1] ?? "0";
  return (BigInt(`0x${line}`) >> BigInt(CAPABILITIES.indexOf(name)) & 1n) === 1n;
}
