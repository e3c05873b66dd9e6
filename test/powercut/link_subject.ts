import assert from "node:assert/strict";
import { startDistribution } from "../../bench/servers.ts";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { isDigest } from "../../src/std/mod.ts";
import { eventually } from "../e2e/support/agent.ts";
import { checkRegistry, checkRegistryAnswers } from "./check_registry.ts";
import { checkBlobs, checkUnfinished } from "./check_store.ts";
import type { Finding } from "./findings.ts";
import type { GoodPackage } from "./packages.ts";
import type { Settled, Subject, Told } from "./subject.ts";

const CHILD = new URL("./link_child.ts", import.meta.url).pathname;
/** How long a run may take to be done with everything, in milliseconds. */
const SETTLE_TIMEOUT = 60_000;
/** How much of its log a failure shows, in characters. */
const LOG_TAIL = 3_000;

/** What the child is started with. */
export interface LinkSubjectOptions {
  readonly dataDir: string;
  /** @default on no disk that loses its power */
  readonly dropDir?: string;
  /** Everything that may be dropped, by the name of its file. */
  readonly packages: ReadonlyMap<string, GoodPackage>;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
}

/** One run of the child, and what it has said. */
interface Run {
  readonly child: Deno.ChildProcess;
  readonly lines: string[];
  /** Resolves when all that it said is read. */
  readonly ended: Promise<void>;
}

/** A store beside the in-cluster registry's storage: see link_child.ts. */
export class LinkSubject implements Subject {
  readonly dropDir: string;
  readonly #directory = Deno.makeTempDirSync({ prefix: "holdfast-link-" });
  readonly #options: LinkSubjectOptions;
  readonly #runs: Run[] = [];

  constructor(options: LinkSubjectOptions) {
    this.#options = options;
    this.dropDir = options.dropDir ?? `${this.#directory}/drop`;
    if (options.dropDir === undefined) Deno.mkdirSync(this.dropDir);
  }

  start(): void {
    // exec: the process id stays that of the child.
    const script = `exec "$@" 2>>"$LOG"`;
    const command = [Deno.execPath(), "run", "-A", "--quiet", "--no-check", CHILD];
    const child = new Deno.Command("sh", {
      args: ["-c", script, "sh", ...command, this.#options.dataDir, this.dropDir],
      env: { LOG: this.#log },
      stdin: "null",
      stdout: "piped",
    }).spawn();
    const lines: string[] = [];
    this.#runs.push({ child, lines, ended: readLines(child.stdout, lines) });
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  told(): Promise<ReadonlyMap<string, Told>> {
    const told = new Map<string, Told>();
    for (const [run, { lines }] of this.#runs.entries()) {
      for (const line of lines) {
        const [what, file = "", digest = ""] = line.split(" ");
        const known = told.get(file);
        const now = run === this.#runs.length - 1;
        if (what === "accepted" && isDigest(digest)) {
          told.set(file, { phase: now ? "busy" : "waiting", digest });
        } else if (what === "linked" || what === "rejected") {
          told.set(file, { ...known, phase: "done" });
        } else if (what === "reading") {
          told.set(file, { ...known, phase: now ? "busy" : "waiting" });
        }
      }
    }
    return Promise.resolve(told);
  }

  async settle(files: readonly string[]): Promise<Settled> {
    const { lines } = this.#running;
    const filesOf = (what: string) =>
      lines.filter((line) => line.startsWith(`${what} `)).map((line) => line.split(" ")[1] ?? "");
    return await eventually(
      "end of all work",
      () => {
        this.#options.signal?.throwIfAborted();
        const [accepted, rejected] = [new Set(filesOf("linked")), new Set(filesOf("rejected"))];
        const done = files.every((file) => accepted.has(file) || rejected.has(file));
        return done ? { accepted, rejected, superseded: new Set<string>() } : undefined;
      },
      SETTLE_TIMEOUT,
      () => Promise.resolve(this.#logTail()),
    );
  }

  checkRunning(): Promise<Finding[]> {
    const { dataDir } = this.#options;
    return Promise.resolve([...checkUnfinished(dataDir), ...checkBlobs(dataDir)]);
  }

  async checkStopped(): Promise<Finding[]> {
    const directory = `${this.#options.dataDir}/registry`;
    const { packages } = this.#options;
    const linked = [...packages.values()].filter(({ file }) => this.#linked.has(file));
    const found = checkRegistry(directory, linked);
    const binary = await ensureTool(TOOLS.registry);
    const config = `${this.#directory}/config.yml`;
    const { signal } = new AbortController();
    await using registry = await startDistribution(binary, directory, config, signal);
    return [...found, ...await checkRegistryAnswers(registry.url, directory, packages.values())];
  }

  async stop(): Promise<void> {
    const { code } = await this.#end("SIGTERM");
    assert.equal(code, 0, this.#logTail());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#runs.length > 0) await this.#end("SIGKILL");
    await Deno.remove(this.#directory, { recursive: true });
  }

  get #running(): Run {
    return this.#runs.at(-1) ?? assert.fail("it was not started");
  }

  get #log(): string {
    return `${this.#directory}/log`;
  }

  /** Files whose images were all linked in any run. */
  get #linked(): ReadonlySet<string> {
    const lines = this.#runs.flatMap((run) => run.lines);
    return new Set(
      lines.filter((line) => line.startsWith("linked ")).map((line) =>
        line.slice("linked ".length)
      ),
    );
  }

  async #end(signal: Deno.Signal): Promise<Deno.CommandStatus> {
    const { child, ended } = this.#running;
    try {
      child.kill(signal);
    } catch {
      // It has ended already.
    }
    const status = await child.status;
    await ended;
    return status;
  }

  #logTail(): string {
    try {
      return Deno.readTextFileSync(this.#log).slice(-LOG_TAIL);
    } catch {
      return "";
    }
  }
}

async function readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>, lines: string[]) {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const whole = (rest + text).split("\n");
    rest = whole.pop() ?? "";
    lines.push(...whole);
  }
}
