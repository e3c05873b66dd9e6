import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";

/** What is changed of the machine behind a {@linkcode TalosApi}; see its Go source. */
export interface TalosChange {
  readonly kubernetes?: string;
  readonly machineType?: "controlplane" | "worker";
  readonly nodename?: string;
  readonly container?: boolean;
  /** Members, by name or `name@address`. */
  readonly etcd?: readonly string[];
  /** Paths on its disks; one that ends with a slash is a directory. */
  readonly files?: readonly string[];
  readonly etcdImage?: boolean;
  readonly etcdWaits?: string;
  readonly etcdFails?: string;
  readonly etcdJoins?: readonly string[];
  readonly restart?: boolean;
  readonly addresses?: readonly string[];
  readonly site?: {
    readonly endpoint: string;
    readonly kubernetesCA: string;
    readonly etcdKey: string;
  };
  /** What the machines of one site have for each other; "" takes it away. */
  readonly token?: string;
  /** Addresses of Kubernetes by the machine configuration. */
  readonly endpoints?: readonly string[];
  readonly kubeletImage?: string;
  readonly discovered?: readonly {
    readonly name: string;
    readonly addresses: readonly string[];
    readonly machineType: string;
  }[];
  readonly exitCode?: number;
  readonly drop?: boolean;
  readonly fail?: {
    /** `/machine.MachineService/Version` */
    readonly method: string;
    /** gRPC's; 0 is none any more. */
    readonly code?: number;
    readonly message?: string;
    /** So many messages of a stream come first. */
    readonly after?: number;
    /** Milliseconds before anything comes. */
    readonly millis?: number;
  };
}

/** A line that the server says. */
export interface TalosLine {
  readonly call?: string;
  readonly roles?: readonly string[];
  readonly request?: unknown;
  readonly cancelled?: string;
  readonly done?: boolean;
  readonly error?: string;
  readonly listening?: string;
}

/** How long the server may take to say what is waited for, in milliseconds. */
const PATIENCE = 60_000;

/**
 * Talos' API on a socket, on Talos' own definitions and with its roles (test/cluster/tools/talosapi),
 * for what a machined in a container refuses, and for faults.
 */
export class TalosApi implements AsyncDisposable {
  readonly socket: string;
  /** What it has said, the oldest first. */
  readonly lines: TalosLine[] = [];
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  #onLine: () => void = () => {};

  private constructor(socket: string, child: Deno.ChildProcess) {
    this.socket = socket;
    this.#child = child;
    this.#writer = child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Starts it on a socket, which must not be there. */
  static async start(socket: string): Promise<TalosApi> {
    const child = new Deno.Command(await ensureTool(TOOLS.talosApi), {
      args: [socket],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const api = new TalosApi(socket, child);
    await api.said(({ listening }) => listening !== undefined);
    return api;
  }

  /** Changes something, and comes back when it is so. */
  async change(change: TalosChange): Promise<void> {
    const before = this.lines.length;
    await this.#writer.write(new TextEncoder().encode(`${JSON.stringify(change)}\n`));
    const line = await this.said(({ done, error }) => done || error !== undefined, before);
    assert.equal(line.error, undefined);
  }

  /** The first line from `from` on that is the one; waits for it. */
  async said(isIt: (line: TalosLine) => boolean | undefined, from = 0): Promise<TalosLine> {
    const deadline = Date.now() + PATIENCE;
    for (;;) {
      const found = this.lines.slice(from).find((line) => isIt(line));
      if (found !== undefined) return found;
      const left = deadline - Date.now();
      assert(left > 0, `it was never said; last: ${JSON.stringify(this.lines.at(-1))}`);
      await this.#next(left);
    }
  }

  /** Names of the methods that were called. */
  get calls(): string[] {
    return this.lines.flatMap(({ call }) => call ?? []);
  }

  /** Ends it at once, as a machined that dies. */
  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
    await this.#writer.abort().catch(() => {});
    await Deno.remove(this.socket).catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.kill();
    } catch {
      // It was killed before.
    }
  }

  async #next(patience: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, patience);
    this.#onLine = resolve;
    await promise;
    clearTimeout(timer);
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.lines.push(JSON.parse(line));
      this.#onLine();
    }
  }
}
