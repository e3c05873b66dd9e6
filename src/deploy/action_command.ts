import { normalize } from "node:path";
import type { ZarfAction, ZarfActionDefaults } from "../package/mod.ts";
import { type Clock, type Exec, ExecError, type Logger } from "../std/mod.ts";
import { ActionLog } from "./action_log.ts";
import { outcomeOf } from "./action_outcome.ts";
import { withZarf } from "./action_text.ts";
import { DeployError } from "./errors.ts";
import { ACTION_MARK, endLeftovers } from "./leftovers.ts";
import { readVariableFile } from "./preflight.ts";
import { redactor } from "./redact.ts";
import type { Scope } from "./scope.ts";
import type { ActionOutcome, Workspace } from "./workspace.ts";

/** The longest output that can become a variable or a value, in bytes. */
export const MAX_OUTPUT = 1 << 20;
/** How long a command may take that has no limit of its own, in milliseconds. */
const LONGEST_COMMAND = 6 * 3_600_000;

/** What a command runs with. */
export interface CommandContext {
  readonly workspace: Workspace;
  readonly scope: Scope;
  /** Absolute path of the kubeconfig. */
  readonly kubeconfig: string;
  readonly exec: Exec;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal?: AbortSignal;
}

/**
 * Runs an action's command until it succeeds or its attempts or its time are used up, and gives what
 * it sets (Zarf 0.84, src/pkg/packager/actions/actions.go runAction): attempts follow each other at
 * once, the time counts over all of them. When its time is up, or the signal says so, everything that
 * it has started is ended.
 *
 * @param mark in the environment of everything that it starts
 * @param command with its Go templates filled in
 * @returns undefined when the signal has ended it
 * @throws {DeployError} `ActionFailed`; nothing of it is a secret.
 */
export async function runCommand(
  action: ZarfAction,
  defaults: ZarfActionDefaults,
  command: string,
  mark: string,
  context: CommandContext,
): Promise<ActionOutcome | undefined> {
  const retries = action.maxRetries ?? defaults.maxRetries;
  const seconds = action.maxTotalSeconds ?? defaults.maxTotalSeconds;
  const limit = seconds < 1 ? LONGEST_COMMAND : seconds * 1000;
  const deadline = context.clock.monotonic() + limit;
  const log = new ActionLog({
    logger: context.logger,
    redact: redactor(context.scope.secrets()),
    muted: mutedOf(action, defaults),
  });
  try {
    return await attempts(retries, limit, deadline, (left) => {
      const run = new Attempt(action, defaults, mark, context, log);
      return run.run(command, left).then((result) => ({ run, result }));
    }, context);
  } finally {
    log.finish();
  }
}

async function attempts(
  retries: number,
  limit: number,
  deadline: number,
  attempt: (left: number) => Promise<{ run: Attempt; result: ActionOutcome | string }>,
  context: CommandContext,
): Promise<ActionOutcome | undefined> {
  let failure = "";
  for (let tries = 0; tries <= retries; tries++) {
    const left = deadline - context.clock.monotonic();
    if (left <= 0) break;
    const { run, result } = await attempt(left);
    if (context.signal?.aborted) return undefined;
    if (typeof result !== "string") return result;
    if (run.timedOut) throw failed(`timed out after ${limit / 1000} s`, run.said || failure);
    failure = result;
  }
  if (context.clock.monotonic() >= deadline) {
    throw failed(`timed out after ${limit / 1000} s`, failure);
  }
  throw failed(`failed after ${retries} retries`, failure);
}

/** One attempt at a command. */
class Attempt {
  timedOut = false;
  /** The last lines of its output. */
  said = "";
  readonly #action: ZarfAction;
  readonly #defaults: ZarfActionDefaults;
  readonly #mark: string;
  readonly #context: CommandContext;
  readonly #log: ActionLog;

  constructor(
    action: ZarfAction,
    defaults: ZarfActionDefaults,
    mark: string,
    context: CommandContext,
    log: ActionLog,
  ) {
    this.#action = action;
    this.#defaults = defaults;
    this.#mark = mark;
    this.#context = context;
    this.#log = log;
  }

  /** What it sets, or in a few words why it failed. */
  async run(command: string, timeout: number): Promise<ActionOutcome | string> {
    const { workspace, exec, signal } = this.#context;
    const log = this.#log;
    log.begin();
    let printed = 0;
    const outcome = await this.#start(() =>
      exec(workspace.shell, {
        args: ["-e", "-c", withZarf(command, workspace.zarf)],
        env: this.#environment(),
        cwd: this.#directory(),
        timeout,
        group: true,
        maxOutput: MAX_OUTPUT,
        onOutput: (stream, bytes) => {
          if (stream === "stdout") printed += bytes.length;
          log.write(stream, bytes);
        },
        ...(signal === undefined ? {} : { signal }),
      })
    );
    log.end();
    this.said = log.last;
    if (typeof outcome === "string") return outcome;
    this.timedOut = outcome.timedOut;
    // What has left the group, too.
    if (outcome.timedOut || signal?.aborted) await endLeftovers(this.#mark);
    if (outcome.timedOut || outcome.code !== 0) {
      return `exit code ${outcome.code}${log.last === "" ? "" : `: ${log.last}`}`;
    }
    return this.#outcome(outcome.stdout.trim(), printed);
  }

  async #start<T>(start: () => Promise<T>): Promise<T | string> {
    try {
      return await start();
    } catch (error) {
      if (!(error instanceof ExecError)) throw error;
      const directory = this.#directory();
      return `it cannot be started in ${directory}: ${
        error.cause instanceof Error ? error.cause.message : error.message
      }`;
    }
  }

  #outcome(output: string, printed: number): ActionOutcome | string {
    const { setVariables, setValues } = this.#action;
    if (setVariables.length + setValues.length === 0) return { variables: [], values: [] };
    if (printed > MAX_OUTPUT) return `it printed ${printed} bytes, the limit is ${MAX_OUTPUT}`;
    try {
      const read = (path: string) =>
        readVariableFile(path.startsWith("/") ? path : `${this.#directory()}/${path}`);
      return outcomeOf(this.#action, output, read);
    } catch (error) {
      if (error instanceof DeployError) return error.message;
      throw error;
    }
  }

  #directory(): string {
    return normalize(`${this.#context.workspace.work}/${this.#action.dir ?? this.#defaults.dir}`);
  }

  #environment(): Record<string, string> {
    const { workspace, kubeconfig, scope } = this.#context;
    const environment: Record<string, string> = {
      PATH: workspace.path,
      HOME: workspace.home,
      TMPDIR: workspace.tmp,
      KUBECONFIG: kubeconfig,
    };
    for (const line of [...this.#defaults.env, ...this.#action.env ?? []]) {
      const at = line.indexOf("=");
      if (at > 0) environment[line.slice(0, at)] = line.slice(at + 1);
    }
    return { ...environment, ...scope.environment(), [ACTION_MARK]: this.#mark };
  }
}

/** What becomes a sensitive variable is not to be seen on its way there. */
function mutedOf(action: ZarfAction, defaults: ZarfActionDefaults): Set<"stdout" | "stderr"> {
  if (action.mute ?? defaults.mute) return new Set(["stdout", "stderr"]);
  return new Set(action.setVariables.some((one) => one.sensitive) ? ["stdout"] : []);
}

function failed(what: string, why: string): DeployError {
  return new DeployError({
    reason: "ActionFailed",
    message: why === "" ? what : `${what}: ${why}`,
    disposition: "retry",
  });
}
