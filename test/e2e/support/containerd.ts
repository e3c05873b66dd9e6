/**
 * The real containerd on this machine, without a cluster.
 *
 * @module
 */
import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import { exec, type ExecResult } from "../../../src/std/mod.ts";
import { eventually } from "./agent.ts";

/** How long one call of `ctr` may take, in milliseconds. */
const CALL_TIMEOUT = 180_000;
const START_TIMEOUT = 90_000;
const LOG_TAIL = 2_000;
/** Namespaces as Talos uses them: `system` for what it runs itself, `k8s.io` for pods. */
export type ContainerdNamespace = "system" | "k8s.io";

/** A containerd with directories of its own; what it mounts is seen by nobody else. Needs root. */
export class Containerd implements AsyncDisposable {
  readonly directory: string;
  readonly #ctr: string;
  readonly #child: Deno.ChildProcess;

  private constructor(directory: string, ctr: string, child: Deno.ChildProcess) {
    this.directory = directory;
    this.#ctr = ctr;
    this.#child = child;
  }

  static async start(): Promise<Containerd> {
    const [containerd, ctr] = [await ensureTool(TOOLS.containerd), await ensureTool(TOOLS.ctr)];
    const directory = await Deno.makeTempDir({ prefix: "hf-ctd-" });
    await Deno.writeTextFile(`${directory}/config.toml`, configOf(directory));
    // exec: the process id stays containerd's own.
    const run = `exec "$0" --config "$1/config.toml" >"$1/log" 2>&1`;
    const child = new Deno.Command("unshare", {
      args: [
        ...["--mount", "--propagation", "private"],
        ...["sh", "-c", run, containerd, directory],
      ],
      stdin: "null",
    }).spawn();
    const started = new Containerd(directory, ctr, child);
    try {
      await eventually(
        "containerd",
        async () => (await started.ctr("version")).code === 0 ? true : undefined,
        START_TIMEOUT,
        () => Promise.resolve(started.log().slice(-LOG_TAIL)),
      );
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw error;
    }
    return started;
  }

  /** Calls `ctr` to its end. */
  ctr(...args: readonly string[]): Promise<ExecResult> {
    return exec(this.#ctr, {
      args: [`--address=${this.directory}/sock`, ...args],
      env: {},
      timeout: CALL_TIMEOUT,
    });
  }

  /** Pulls an image, and unpacks it, through a directory of `hosts.toml` files. */
  pull(namespace: ContainerdNamespace, hosts: string, image: string): Promise<ExecResult> {
    const how = ["images", "pull", "--local", `--hosts-dir=${hosts}`];
    return this.ctr(`--namespace=${namespace}`, ...how, image);
  }

  /** Imports an archive, and unpacks what is in it. */
  import(namespace: ContainerdNamespace, archive: string): Promise<ExecResult> {
    return this.ctr(`--namespace=${namespace}`, "images", "import", "--local", archive);
  }

  /** The digests of its images, by their names. */
  async images(namespace: ContainerdNamespace): Promise<Map<string, string>> {
    const { code, stdout, stderr } = await this.ctr(`--namespace=${namespace}`, "images", "list");
    assert.equal(code, 0, stderr);
    const rows = stdout.trim().split("\n").slice(1).map((line) => line.split(/\s+/));
    return new Map(rows.map(([name = "", , digest = ""]) => [name, digest]));
  }

  log(): string {
    return Deno.readTextFileSync(`${this.directory}/log`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#child.status;
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** Nothing of it is for pods. */
function configOf(directory: string): string {
  return `version = 3
root = "${directory}/root"
state = "${directory}/state"
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime",
  "io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.zfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.erofs", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "${directory}/sock"
[ttrpc]
  address = "${directory}/ttrpc"
`;
}
