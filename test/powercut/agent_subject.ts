import assert from "node:assert/strict";
import type { PackageStatus, Verdict } from "../../src/status/mod.ts";
import type { Digest } from "../../src/std/mod.ts";
import { LocalAgent } from "../e2e/support/local_agent.ts";
import { ask, checkServed } from "./check_served.ts";
import { checkBlobs, checkUnfinished } from "./check_store.ts";
import { type Finding, findings } from "./findings.ts";
import type { GoodPackage } from "./packages.ts";
import type { Settled, Subject, Told } from "./subject.ts";

/** How long a run may take to be done with everything, in milliseconds. */
const SETTLE_TIMEOUT = 60_000;
/** How long the registry's image may take to be in the store, in milliseconds. */
const SEED_TIMEOUT = 20_000;
const SEED_REPOSITORY = "library/registry";

/** What an agent is started with. */
export interface AgentSubjectOptions {
  readonly dataDir: string;
  /** @default beside the agent's log, on no disk that loses its power */
  readonly dropDir?: string;
  /** An OCI layout with the registry's image. */
  readonly seedDir?: string;
  /** @default the compiled one of this checkout */
  readonly program?: string;
  /** Ends the waiting. */
  readonly signal?: AbortSignal;
}

/** The compiled agent, without a cluster. */
export class AgentSubject implements Subject {
  readonly dropDir: string;
  readonly #options: AgentSubjectOptions;
  readonly #agent = new LocalAgent();
  #startedAt = 0;

  constructor(options: AgentSubjectOptions) {
    this.#options = options;
    this.dropDir = options.dropDir ?? this.#agent.dropDir;
  }

  start(): void {
    const { dataDir, seedDir, program } = this.#options;
    this.#startedAt = Date.now();
    this.#agent.start({
      flags: [
        `--data-dir=${dataDir}`,
        `--drop-dir=${this.dropDir}`,
        ...(seedDir === undefined ? [] : [`--seed-dir=${seedDir}`]),
      ],
      ...(program === undefined ? {} : { program }),
    });
  }

  async kill(): Promise<void> {
    await this.#agent.stop("SIGKILL");
  }

  async told(): Promise<ReadonlyMap<string, Told>> {
    const told = new Map<string, Told>();
    for await (const { name } of Deno.readDir(this.dropDir)) {
      if (name.endsWith(".status.json") || name.startsWith(".")) continue;
      const verdict = await this.#agent.verdict(`${this.dropDir}/${name}`);
      if (verdict !== undefined) told.set(name, this.#toldBy(verdict));
    }
    return told;
  }

  #toldBy({ phase, reason, package: about, observedAt }: PackageStatus): Told {
    if (about !== undefined) return { phase: "done", digest: about.digest };
    if (phase === "Rejected") return { phase: "done" };
    // A run before the cut may have said that it reads; this one has not begun to.
    const now = Date.parse(observedAt) >= this.#startedAt;
    return { phase: now && reason === "Reading" ? "busy" : "waiting" };
  }

  async settle(files: readonly string[]): Promise<Settled> {
    await this.#agent.eventually("status page", () => this.#verdicts());
    return await this.#agent.eventually(
      "end of all work",
      async () => {
        this.#options.signal?.throwIfAborted();
        const verdicts = await this.#verdicts() ?? [];
        const settled = {
          accepted: this.#filesOf(verdicts, "Accepted"),
          superseded: this.#filesOf(verdicts, "Superseded"),
          rejected: this.#filesOf(verdicts, "Rejected"),
        };
        const all = new Set(Object.values(settled).flatMap((names) => [...names]));
        return files.every((file) => all.has(file)) ? settled : undefined;
      },
      SETTLE_TIMEOUT,
    );
  }

  async checkRunning(accepted: readonly GoodPackage[]): Promise<Finding[]> {
    await this.#agent.eventually("node registry", async () => {
      return (await this.#agent.part("node registry")).ok ? true : undefined;
    });
    const registry = `http://${this.#agent.addresses.registry}`;
    return [
      ...await checkServed(registry, accepted),
      ...await this.#checkSeed(registry),
      ...checkUnfinished(this.#options.dataDir),
      ...checkBlobs(this.#options.dataDir),
    ];
  }

  checkStopped(): Promise<Finding[]> {
    return Promise.resolve([]);
  }

  async stop(): Promise<void> {
    const { code } = await this.#agent.stop();
    assert.equal(code, 0, this.#agent.log());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent[Symbol.asyncDispose]();
  }

  async #checkSeed(registry: string): Promise<Finding[]> {
    const { seedDir } = this.#options;
    if (seedDir === undefined) return [];
    const { manifests } = JSON.parse(await Deno.readTextFile(`${seedDir}/index.json`));
    const digest: Digest = manifests[0].digest;
    const path = `${SEED_REPOSITORY}/manifests/${digest}`;
    try {
      await this.#agent.eventually(
        "seed image in the node registry",
        async () => (await ask(registry, path)).digest === digest ? true : undefined,
        SEED_TIMEOUT,
      );
    } catch (error) {
      return findings("NotServed", [String(error)]);
    }
    return [];
  }

  async #verdicts(): Promise<readonly Verdict[] | undefined> {
    try {
      return JSON.parse(await this.#agent.get("/api/v1/status")).packages;
    } catch {
      return undefined;
    }
  }

  #filesOf(verdicts: readonly Verdict[], phase: string): ReadonlySet<string> {
    const prefix = `${this.dropDir}/`;
    return new Set(
      verdicts.filter((verdict) => verdict.phase === phase && verdict.file.startsWith(prefix))
        .map(({ file }) => file.slice(prefix.length)),
    );
  }
}
