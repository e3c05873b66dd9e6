/**
 * Repositories for tests, made by the real git, and a client of the real git.
 *
 * @module
 */
import assert from "node:assert/strict";
import { exec, type ExecResult } from "../../src/std/mod.ts";
import type { GitProgram } from "../../src/git/mod.ts";

/** The real git of the machine. */
export const GIT: GitProgram = { git: "/usr/bin/git" };
/** Milliseconds for one command. */
const TIMEOUT = 60_000;

/** The environment of commands of a test: nothing of the machine's settings. */
export function clientEnvironment(home: string): Record<string, string> {
  const date = "2026-01-02T03:04:05Z";
  return {
    PATH: "/usr/bin:/bin",
    HOME: home,
    LC_ALL: "C",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    ...{ GIT_AUTHOR_NAME: "a", GIT_AUTHOR_EMAIL: "a@example.com", GIT_AUTHOR_DATE: date },
    ...{ GIT_COMMITTER_NAME: "a", GIT_COMMITTER_EMAIL: "a@example.com", GIT_COMMITTER_DATE: date },
  };
}

/** Runs git as a client does, whatever comes of it. */
export function tryGit(directory: string, ...args: string[]): Promise<ExecResult> {
  return exec(GIT.git, {
    args,
    cwd: directory,
    env: clientEnvironment(directory),
    timeout: TIMEOUT,
  });
}

/** Runs git as a client does; it must succeed. */
export async function git(directory: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryGit(directory, ...args);
  assert.equal(code, 0, `git ${args.join(" ")}: ${stderr}`);
  return stdout.trim();
}

/** A clone as it lies in a package: a work tree with `.git`. */
export class Clone {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  /** Makes one with branch `main` and a first commit. */
  static async make(directory: string): Promise<Clone> {
    Deno.mkdirSync(directory, { recursive: true });
    const clone = new Clone(directory);
    await clone.git("init", "--quiet", "--initial-branch=main");
    await clone.commit("first");
    return clone;
  }

  git(...args: string[]): Promise<string> {
    return git(this.directory, ...args);
  }

  /** Adds a commit with a file of its name, and gives the commit's object name. */
  async commit(name: string, content = name): Promise<string> {
    Deno.writeTextFileSync(`${this.directory}/${name}`, content);
    await this.git("add", name);
    await this.git("commit", "--quiet", "-m", name);
    return await this.git("rev-parse", "HEAD");
  }
}
