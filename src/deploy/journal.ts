import { digestOf } from "../std/mod.ts";
import type { ValuesLayer } from "./go_template.ts";

/** How far a journalled step is. */
export type JournalState = "begin" | "done" | "failed";

/** One line of a package's journal. */
export interface JournalLine {
  readonly step: string;
  readonly state: JournalState;
  /** Any JSON value. */
  readonly detail?: unknown;
}

/** Where the lines of one package's deployments are kept, across restarts. */
export interface JournalBook {
  /** Adds a line; it is durable when this returns. */
  append(line: JournalLine): void | Promise<void>;
  /** All lines that are kept, the oldest first. @default nothing was done before */
  lines?(): readonly JournalLine[];
}

/** The step that the whole deployment is. */
const DEPLOYMENT = "deployment";

/** What a deployment is known by: only one with the same inputs goes on from another's steps. */
export interface DeploymentInputs {
  /** What tells one wish to deploy from the next one; the same after a restart. */
  readonly wish: string;
  readonly components: readonly string[];
  readonly variables: Iterable<readonly [string, { readonly value: string }]>;
  readonly values: readonly ValuesLayer[];
}

/** A digest of the inputs, which does not show them. */
export function identityOf(inputs: DeploymentInputs): string {
  const { wish, components, variables, values } = inputs;
  const given = [...variables].map(([name, { value }]) => [name, value]).sort();
  return digestOf(JSON.stringify([wish, components, given, values]));
}

/** What the first line of a deployment says. */
interface DeploymentDetail {
  readonly identity: string;
  readonly generation: number;
  /** Seconds since 1970; older versions did not write it. */
  readonly startedAt?: number;
}

/**
 * The journal of one deployment: what was done before an interruption is known and not done again. A
 * step that fails takes back what was done below it (`component/web` takes back
 * `component/web/before/0`).
 */
export class DeployJournal {
  readonly #book: JournalBook | undefined;
  readonly #done = new Map<string, unknown>();
  readonly #begun = new Map<string, unknown>();
  readonly #earlier: DeploymentDetail | undefined;
  #startedAt: number | undefined;

  /** Reads what is there of the last deployment. */
  constructor(book: JournalBook | undefined) {
    this.#book = book;
    const lines = book?.lines?.() ?? [];
    const at = lines.findLastIndex(({ step }) => step === DEPLOYMENT);
    const last = lines[at];
    if (last?.state === "begin") {
      this.#earlier = last.detail as DeploymentDetail;
      this.#startedAt = this.#earlier.startedAt;
      for (const line of lines.slice(at + 1)) this.#note(line);
    }
  }

  /** The generation of the deployment that was interrupted, if it was this one. */
  interrupted(identity: string): number | undefined {
    return this.#earlier?.identity === identity ? this.#earlier.generation : undefined;
  }

  /** When the deployment began, before its interruptions, in seconds since 1970. */
  get startedAt(): number | undefined {
    return this.#startedAt;
  }

  /** Begins a new deployment: nothing is done. */
  async beginDeployment(identity: string, generation: number, startedAt: number): Promise<void> {
    this.#done.clear();
    this.#begun.clear();
    this.#startedAt = startedAt;
    const detail: DeploymentDetail = { identity, generation, startedAt };
    await this.#append({ step: DEPLOYMENT, state: "begin", detail });
  }

  /** Ends it: the next one begins anew. */
  async endDeployment(): Promise<void> {
    await this.#append({ step: DEPLOYMENT, state: "done" });
  }

  isDone(step: string): boolean {
    return this.#done.has(step);
  }

  /** Whether a step was begun and has not failed, before an interruption or now. */
  isBegun(step: string): boolean {
    return this.#begun.has(step) || this.#done.has(step);
  }

  /** Whether it has begun, and has neither ended nor been taken back. */
  isHalfDone(step: string): boolean {
    return this.#begun.has(step);
  }

  /** What a step was noted with that is done, or half done. */
  detail(step: string): unknown {
    return this.#done.get(step) ?? this.#begun.get(step);
  }

  /** The details of steps that an interrupted deployment, this one or another, has left half done. */
  halfDone(): unknown[] {
    return [...this.#begun.values()];
  }

  begin(step: string, detail?: unknown): Promise<void> {
    return this.#append({ step, state: "begin", ...(detail === undefined ? {} : { detail }) });
  }

  done(step: string, detail?: unknown): Promise<void> {
    return this.#append({ step, state: "done", ...(detail === undefined ? {} : { detail }) });
  }

  failed(step: string): Promise<void> {
    return this.#append({ step, state: "failed" });
  }

  /** Does a step, journalled before and after. */
  async step(step: string, action: () => Promise<void>): Promise<void> {
    await this.begin(step);
    await action();
    await this.done(step);
  }

  async #append(line: JournalLine): Promise<void> {
    await this.#book?.append(line);
    if (line.step !== DEPLOYMENT) this.#note(line);
  }

  #note({ step, state, detail }: JournalLine): void {
    if (state === "done") this.#done.set(step, detail);
    else this.#done.delete(step);
    if (state === "begin") this.#begun.set(step, detail);
    else this.#begun.delete(step);
    if (state !== "failed") return;
    for (const below of [...this.#done.keys(), ...this.#begun.keys()]) {
      if (!below.startsWith(`${step}/`)) continue;
      this.#done.delete(below);
      this.#begun.delete(below);
    }
  }
}
