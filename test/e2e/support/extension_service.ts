import assert from "node:assert/strict";
import type { NodeStatus, PackageStatus } from "../../../src/status/mod.ts";
import { eventually } from "./agent.ts";
import { ExtensionContainer, type ExtensionContainerOptions } from "./extension_container.ts";

export type { ExtensionContainerOptions as ExtensionOptions };

/** How long Talos waits before it starts a service again (Talos 1.13, runner/restart). */
const RESTART_PAUSE = 5_000;
/** How many characters of its log a failure shows. */
const LOG_TAIL = 3_000;
/** Where packages are dropped on the node. */
const DROP_DIR = "/var/mnt/holdfast";
/** Where its data are on the node. */
const DATA_DIR = "/var/lib/holdfast";

/** Where machined's socket is. */
const MACHINED_DIR = "/system/run/machined";

/** A line of its log. */
export interface LogLine {
  readonly level: string;
  readonly msg: string;
}

/**
 * The extension's service as Talos keeps it: in its container, and started again five seconds after it
 * has ended, however it ended.
 */
export class ExtensionService implements AsyncDisposable {
  readonly container: ExtensionContainer;
  /** Milliseconds before it is started again. */
  pause = RESTART_PAUSE;
  #starts = 0;
  #stop = new AbortController();
  #running = Promise.resolve();

  constructor(options: ExtensionContainerOptions) {
    this.container = new ExtensionContainer(options);
    for (const path of [DROP_DIR, DATA_DIR, MACHINED_DIR]) {
      Deno.mkdirSync(this.node(path), { recursive: true });
    }
  }

  /** How often it was started. */
  get starts(): number {
    return this.#starts;
  }

  /** Path on this machine of its data directory. */
  get data(): string {
    return this.node(DATA_DIR);
  }

  node(path: string): string {
    return this.container.node(path);
  }

  /** Keeps it running; returns once it was started. */
  async start(): Promise<void> {
    this.#stop = new AbortController();
    await this.#begin();
    this.#running = this.#keep(this.#stop.signal);
  }

  /** {@linkcode start}, and waits until the node registry answers. */
  async started(): Promise<void> {
    await this.start();
    await this.serves();
  }

  /** Ends it for good, as Talos does; gives how it ended. */
  async stop(): Promise<Deno.CommandStatus> {
    this.#stop.abort();
    const status = await this.container.end("TERM");
    await this.#running;
    return status;
  }

  /** Kills it for good, as a power cut does. */
  async cut(): Promise<void> {
    this.#stop.abort();
    await this.container.end("KILL");
    await this.#running;
  }

  /** Kills it; Talos starts it again. */
  async kill(): Promise<void> {
    const { starts } = this;
    await this.container.end("KILL");
    await this.eventually("another start", () => this.starts > starts || undefined);
  }

  /** Waits until the node registry answers. */
  async serves(timeout = 90_000): Promise<void> {
    await this.eventually("node registry", async () => {
      const response = await this.#get(`http://${this.container.registry}/v2/`);
      return response === undefined ? undefined : true;
    }, timeout);
  }

  /** Whether the whole image of a package is served: its manifest and each layer. */
  async isServed(repository: string, tag: string): Promise<boolean> {
    const base = `http://${this.container.registry}/v2/${repository}`;
    const manifest = await this.#get(`${base}/manifests/${tag}`);
    if (manifest === undefined) return false;
    const { layers }: { layers: { digest: string; size: number }[] } = JSON.parse(manifest);
    for (const { digest, size } of layers) {
      const blob = await fetch(`${base}/blobs/${digest}`);
      if ((await blob.arrayBuffer()).byteLength !== size) return false;
    }
    return layers.length > 0;
  }

  /** Renames a file into the drop directory; gives its path on this machine. */
  async drop(content: string | Uint8Array, name: string): Promise<string> {
    const path = this.node(`${DROP_DIR}/${name}`);
    const hidden = this.node(`${DROP_DIR}/.${name}`);
    if (typeof content === "string") await Deno.copyFile(content, hidden);
    else await Deno.writeFile(hidden, content);
    await Deno.rename(hidden, path);
    return path;
  }

  /** Waits until a dropped file's verdict is the one. */
  async settled(
    path: string,
    isIt: (verdict: PackageStatus) => boolean,
    timeout = 90_000,
  ): Promise<PackageStatus> {
    let last = "";
    return await this.eventually(
      `verdict on ${path}`,
      async () => {
        last = await Deno.readTextFile(`${path}.status.json`).catch(() => "");
        const verdict: PackageStatus | undefined = last === "" ? undefined : JSON.parse(last);
        return verdict !== undefined && isIt(verdict) ? verdict : undefined;
      },
      timeout,
      () => last,
    );
  }

  /** What the status page shows of the node. */
  async status(): Promise<NodeStatus | undefined> {
    const text = await this.#get(`http://${this.container.status}/api/v1/status`);
    return text === undefined ? undefined : JSON.parse(text);
  }

  /** Waits until a part says something; gives whether that is good. */
  async says(part: string, text: RegExp, timeout = 90_000): Promise<boolean> {
    let last = "";
    return await this.eventually(
      `${part} that says ${text}`,
      async () => {
        const found = (await this.status())?.parts.find(({ name }) => name === part);
        last = found?.message ?? "";
        return text.test(last) ? found?.ok : undefined;
      },
      timeout,
      () => last,
    );
  }

  /** Waits until the log has a line. */
  async logs(text: RegExp, timeout = 90_000): Promise<LogLine> {
    return await this.eventually(`line ${text}`, () => this.lines(text)[0], timeout);
  }

  /** The lines of its log that match; each must be what Talos takes apart. */
  lines(text: RegExp): LogLine[] {
    return this.container.log().split("\n").filter((line) => line !== "")
      .map((line): LogLine => JSON.parse(line))
      .filter(({ msg }) => text.test(msg));
  }

  /** Asks again and again; a failure shows the end of the log. */
  eventually<T>(
    what: string,
    ask: () => Promise<T | undefined> | T | undefined,
    timeout?: number,
    explain: () => string = () => "",
  ): Promise<T> {
    return eventually(
      what,
      ask,
      timeout,
      () => Promise.resolve(`${explain()}\n${this.container.log().slice(-LOG_TAIL)}`),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.container[Symbol.asyncDispose]();
    await this.#running;
  }

  async #begin(): Promise<void> {
    await this.container.start();
    this.#starts++;
  }

  async #keep(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.container.end();
      if (signal.aborted) return;
      await pauseOf(this.pause, signal);
      if (!signal.aborted) await this.#begin();
    }
  }

  /** The text of an answer that is good. */
  async #get(url: string): Promise<string | undefined> {
    try {
      const response = await fetch(url);
      const text = await response.text();
      return response.ok ? text : undefined;
    } catch {
      return undefined;
    }
  }
}

async function pauseOf(ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  signal.addEventListener("abort", () => resolve(), { once: true });
  await promise;
  clearTimeout(timer);
}

/** Runs a command of this machine that must succeed. */
export async function run(command: string, ...args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  assert(success, `${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
