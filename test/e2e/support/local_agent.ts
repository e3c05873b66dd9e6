import assert from "node:assert/strict";
import { freePort } from "../../fakes/free_address.ts";
import type { PackageStatus } from "../../../src/status/mod.ts";
import { eventually, HOLDFAST } from "./agent.ts";

/** How long an agent may take to answer after its start, in milliseconds. */
const START_TIMEOUT = 90_000;
/** How long an agent that is to end may go on, in milliseconds. */
const END_TIMEOUT = 60_000;
/** How many characters of its log a failure shows. */
const LOG_TAIL = 3_000;

/** How an agent on this machine is started. */
export interface LocalAgentOptions {
  /** Beside the usual flags; a later one of the same name wins. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it is given no name of its node. */
  readonly unnamed?: boolean;
  /**
   * Shell commands that run first, in a mount namespace of their own that ends with the agent. Needs
   * root. What they mount is seen through {@linkcode LocalAgent.seen}.
   */
  readonly mounts?: string;
  /** @default the compiled program of this checkout */
  readonly program?: string;
  /** A command that runs the agent as the process that it is itself, as a tracer does. */
  readonly under?: readonly string[];
}

/** Where an agent on this machine listens. */
export interface LocalAddresses {
  readonly registry: string;
  readonly status: string;
  readonly admission: string;
  /** Only on a control plane of Talos. */
  readonly peers: string;
}

/**
 * A compiled agent as a child process of the test: directories and loopback ports of its own, no
 * cluster unless it is told of one. Disposing of it ends it and leaves nothing.
 */
export class LocalAgent implements AsyncDisposable {
  /** Holds everything of it. */
  readonly directory: string;
  readonly dropDir: string;
  readonly dataDir: string;
  readonly logPath: string;
  readonly addresses: LocalAddresses;
  #child: Deno.ChildProcess | undefined;

  /** @param host where it listens, as in a URL. */
  constructor(host = "127.0.0.1") {
    this.directory = Deno.makeTempDirSync({ prefix: "holdfast-e2e-" });
    this.dropDir = `${this.directory}/drop`;
    this.dataDir = `${this.directory}/data`;
    this.logPath = `${this.directory}/agent.log`;
    this.addresses = {
      registry: addressAt(host),
      status: addressAt(host),
      admission: addressAt(host),
      peers: addressAt(host),
    };
    Deno.mkdirSync(this.dropDir);
  }

  /** Starts it; returns at once. It has no seed unless a flag gives one. */
  start(options: LocalAgentOptions = {}): void {
    const { registry, status, admission, peers } = this.addresses;
    const command = [
      ...options.under ?? [],
      options.program ?? HOLDFAST,
      "agent",
      `--drop-dir=${this.dropDir}`,
      `--data-dir=${this.dataDir}`,
      `--registry-address=${registry}`,
      `--status-address=${status}`,
      `--admission-address=${admission}`,
      `--peer-address=${peers}`,
      ...(options.unnamed ? [] : ["--node-name=local"]),
      "--log-format=text",
      `--seed-dir=${this.directory}/no-seed`,
      ...options.flags ?? [],
    ];
    // exec: the process id stays the agent's own.
    const run = `${options.mounts ?? "true"} && exec "$@" >>"$LOG" 2>&1`;
    const shell = ["sh", "-ec", run, "sh", ...command];
    const [program = "", ...args] = options.mounts === undefined
      ? shell
      : ["unshare", "--mount", "--propagation", "private", ...shell];
    this.#child = new Deno.Command(program, {
      args,
      env: { LOG: this.logPath, TMPDIR: this.directory, HOME: this.directory, ...options.env },
      stdin: "null",
    }).spawn();
  }

  /** {@linkcode LocalAgent.start}, and waits until its status page answers. */
  async started(options: LocalAgentOptions = {}): Promise<void> {
    this.start(options);
    await this.eventually("status page", async () => {
      try {
        return (await this.get("/livez")).trim() === "ok" ? true : undefined;
      } catch {
        return undefined;
      }
    }, START_TIMEOUT);
  }

  get #running(): Deno.ChildProcess {
    return this.#child ?? assert.fail("the agent was not started");
  }

  get pid(): number {
    return this.#running.pid;
  }

  /** Waits until it ends by itself; one that does not is killed, and fails the test. */
  async ended(timeout = END_TIMEOUT): Promise<Deno.CommandStatus> {
    const child = this.#running;
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, timeout);
    const status = await child.status;
    clearTimeout(timer);
    assert.equal(late, false, `it did not end within ${timeout / 1000} s\n${this.log()}`);
    return status;
  }

  /** Ends it and says how it ended. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<Deno.CommandStatus> {
    const child = this.#running;
    try {
      child.kill(signal);
    } catch {
      // It has ended already.
    }
    return await child.status;
  }

  /** A path as the agent sees it, with what it has mounted; only while it runs. */
  seen(path: string): string {
    return `/proc/${this.pid}/root${path}`;
  }

  /** Renames a whole file into the drop directory; gives its path there. */
  async drop(content: string | Uint8Array, name = nameOf(content)): Promise<string> {
    const hidden = `${this.directory}/${name}`;
    if (typeof content === "string") await Deno.copyFile(content, hidden);
    else await Deno.writeFile(hidden, content);
    const path = `${this.dropDir}/${name}`;
    await Deno.rename(hidden, path);
    return path;
  }

  /** The verdict in `<file>.status.json`, if there is one. */
  async verdict(path: string): Promise<PackageStatus | undefined> {
    try {
      return JSON.parse(await Deno.readTextFile(`${path}.status.json`));
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  }

  /** Waits until a verdict is one of `phases`. */
  async settled(
    path: string,
    options: {
      readonly timeout?: number;
      readonly phases?: readonly string[];
      readonly where?: (verdict: PackageStatus) => boolean;
    } = {},
  ): Promise<PackageStatus> {
    const { timeout = 90_000, phases = ["Accepted", "Rejected"], where = () => true } = options;
    let last: PackageStatus | undefined;
    return await this.eventually(
      `verdict ${phases.join(" or ")} on ${path}`,
      async () => {
        last = await this.verdict(path);
        return last !== undefined && phases.includes(last.phase) && where(last) ? last : undefined;
      },
      timeout,
      () => JSON.stringify(last),
    );
  }

  /** GETs from its status page. */
  async get(path: string): Promise<string> {
    const response = await fetch(`http://${this.addresses.status}${path}`);
    return await response.text();
  }

  /** What `/api/v1/status` says of one of its parts. */
  async part(name: string): Promise<{ readonly ok: boolean; readonly message: string }> {
    const { parts }: { parts: { name: string; ok: boolean; message: string }[] } = JSON.parse(
      await this.get("/api/v1/status"),
    );
    return parts.find((part) => part.name === name) ?? assert.fail(`there is no part ${name}`);
  }

  /** Its log so far. */
  log(): string {
    try {
      return Deno.readTextFileSync(this.logPath);
    } catch {
      return "";
    }
  }

  /** The lines of its log that match. */
  logged(pattern: RegExp): string[] {
    return this.log().split("\n").filter((line) => pattern.test(line));
  }

  /** A field of `/proc/PID/status` in bytes: VmRSS, VmHWM. */
  memory(field: "VmRSS" | "VmHWM"): number {
    const text = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    const kilobytes = new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(text)?.[1];
    return Number(kilobytes ?? assert.fail(`${field} is not known`)) * 1024;
  }

  /** Asks again and again; a failure shows the end of the log. */
  eventually<T>(
    what: string,
    ask: () => Promise<T | undefined> | T | undefined,
    timeout?: number,
    explain: () => string | undefined = () => undefined,
  ): Promise<T> {
    return eventually(
      what,
      ask,
      timeout,
      () => Promise.resolve(`${explain() ?? ""}\n${this.log().slice(-LOG_TAIL)}`),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child !== undefined) await this.stop("SIGKILL");
    await Deno.remove(this.directory, { recursive: true });
  }
}

function addressAt(host: string): string {
  return `${host}:${freePort(host.replace(/^\[(.*)\]$/, "$1"))}`;
}

function nameOf(content: string | Uint8Array): string {
  assert(typeof content === "string", "bytes need a name");
  return content.slice(content.lastIndexOf("/") + 1);
}
