import { describeError, dirname, type Exec, exec as systemExec, oneLine } from "../std/mod.ts";
import { GitError } from "./errors.ts";

/** How long one local command of git may take, in milliseconds. */
const COMMAND_TIMEOUT = 30 * 60_000;
/** How much of git's own words a message shows, in characters. */
const MAX_SAID = 600;
/** The most output of a command that is read, in bytes: a line for each reference. */
const MAX_OUTPUT = 64 << 20;

/** Where the real git is. */
export interface GitProgram {
  /** Path of the executable. */
  readonly git: string;
  /** The directory of its subcommands, where it is not the one that it was built for. */
  readonly execPath?: string;
}

/** What {@linkcode Git} works with. */
export interface GitOptions extends GitProgram {
  /** A directory that nobody else writes to; git sees it as the user's home. */
  readonly home: string;
  /** @default the real one */
  readonly exec?: Exec;
}

/** One command of git. */
export interface GitCommand {
  readonly args: readonly string[];
  /** Directory of the bare repository. */
  readonly repository?: string;
  readonly stdin?: string;
  /** More configuration, by key. It is passed in the environment, which others cannot read. */
  readonly config?: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

/**
 * Configuration of every command. Nothing is read of the machine's or the user's; no hook, no file
 * system monitor and no maintenance is started, and no transport is allowed that a command does not
 * ask for. What git writes is flushed before it is named (git 2.36, core.fsync).
 */
const CONFIG: Readonly<Record<string, string>> = {
  "core.fsync": "all",
  "core.hooksPath": "/dev/null",
  "core.fsmonitor": "false",
  "core.symlinks": "false",
  "protocol.allow": "never",
  "gc.auto": "0",
  "maintenance.auto": "false",
  "advice.detachedHead": "false",
};

/** The real git, run in a clean environment. */
export class Git {
  readonly program: GitProgram;
  readonly #home: string;
  readonly #exec: Exec;

  constructor(options: GitOptions) {
    const { git, execPath, home, exec = systemExec } = options;
    this.program = { git, ...(execPath === undefined ? {} : { execPath }) };
    this.#home = home;
    this.#exec = exec;
  }

  /** All of the environment of a command, with `config` beside {@linkcode CONFIG}. */
  environment(config: Readonly<Record<string, string>> = {}): Record<string, string> {
    const { git, execPath } = this.program;
    const settings = Object.entries({ ...CONFIG, ...config });
    return {
      PATH: `${dirname(git)}:/usr/bin:/bin`,
      HOME: this.#home,
      LC_ALL: "C",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_CONFIG_GLOBAL: "/dev/null",
      GIT_TERMINAL_PROMPT: "0",
      GIT_NO_REPLACE_OBJECTS: "1",
      ...(execPath === undefined ? {} : { GIT_EXEC_PATH: execPath }),
      GIT_CONFIG_COUNT: String(settings.length),
      ...Object.fromEntries(
        settings.flatMap(([key, value], at) => [
          [`GIT_CONFIG_KEY_${at}`, key],
          [`GIT_CONFIG_VALUE_${at}`, value],
        ]),
      ),
    };
  }

  /**
   * Runs a command to its end and gives what it printed.
   *
   * @throws {GitError} `GitFailed` with git's own words, or `Cancelled`.
   */
  async run(command: GitCommand): Promise<string> {
    const { args, repository, stdin, config, timeout = COMMAND_TIMEOUT, signal } = command;
    const directory = repository === undefined ? [] : [`--git-dir=${repository}`];
    const result = await this.#start([...directory, ...args], {
      env: this.environment(config),
      cwd: this.#home,
      timeout,
      group: true,
      maxOutput: MAX_OUTPUT,
      ...(stdin === undefined ? {} : { stdin }),
      ...(signal === undefined ? {} : { signal }),
    });
    if (result.code === 0 && !result.timedOut) return result.stdout;
    if (signal?.aborted) {
      throw new GitError({ reason: "Cancelled", message: "git was told to stop" });
    }
    const what = `git ${args[0]}`;
    throw new GitError({
      reason: "GitFailed",
      message: result.timedOut
        ? `${what} took longer than ${timeout / 1000} s`
        : `${what} ended with ${result.code}: ${oneLine(result.stderr, MAX_SAID)}`,
      disposition: "retry",
    });
  }

  async #start(args: string[], options: Parameters<Exec>[1]): ReturnType<Exec> {
    try {
      return await this.#exec(this.program.git, { args, ...options });
    } catch (cause) {
      throw new GitError({
        reason: "GitFailed",
        message: `git cannot be started: ${describeError(cause)}`,
        disposition: "retry",
        cause,
      });
    }
  }
}
