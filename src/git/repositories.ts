import {
  type Digest,
  digestHex,
  ensureDir,
  isOwnDirectory,
  removeQuietly,
  systemFs,
} from "../std/mod.ts";
import { gitFolderName, gitRepositoryName } from "../refs/mod.ts";
import { GitError } from "./errors.ts";
import { gitFailpoint } from "./failpoints.ts";
import { ServedRepository } from "./repository.ts";
import { Git, type GitProgram } from "./run.ts";
import { copySource, type SourceRepository } from "./source.ts";
import type { Publication } from "./union.ts";

/** A repository of a component, as the package's definition names it. */
export interface PackageRepository {
  /** As in `repos`: `https://host/path/repo.git@v1`. */
  readonly url: string;
  /** The component's `repos` directory, unpacked. */
  readonly directory: string;
  readonly packageName: string;
  readonly digest: Digest;
  readonly signal?: AbortSignal;
}

const SUFFIX = ".git";
/** Names that {@linkcode gitRepositoryName} gives. */
const NAME = /^[\w.-]{1,200}$/;

/**
 * The repositories that are served from a data directory: `git/<name>.git` below it, one for each
 * name, whichever packages it comes from. Safe to use again after a kill at any point.
 */
export class Repositories {
  readonly #root: string;
  readonly #temporary: string;
  readonly #git: Git;
  /** What is going on with each repository: one thing at a time. */
  readonly #turns = new Map<string, Promise<unknown>>();

  /** @param dataDir the data directory; temporary files go to `tmp` below it. */
  constructor(program: GitProgram, dataDir: string) {
    this.#root = `${dataDir}/git`;
    this.#temporary = `${dataDir}/tmp`;
    this.#git = new Git({ ...program, home: this.#root });
  }

  /** The program, as readers of a repository run it. */
  get git(): Git {
    return this.#git;
  }

  /** The directory of a repository, if it is served. */
  directoryOf(name: string): string | undefined {
    if (!NAME.test(name) || name.startsWith(".")) return undefined;
    const directory = `${this.#root}/${name}${SUFFIX}`;
    try {
      return Deno.lstatSync(directory).isDirectory ? directory : undefined;
    } catch {
      return undefined;
    }
  }

  /** The names of all of them, sorted. */
  names(): string[] {
    try {
      return [...Deno.readDirSync(this.#root)].map(({ name }) => name)
        .filter((name) => name.endsWith(SUFFIX))
        .map((name) => name.slice(0, -SUFFIX.length)).sort();
    } catch {
      return [];
    }
  }

  /**
   * Serves a package's repository, with what other packages have of it. Of a branch or tag that
   * several have, the newest package's is served.
   *
   * @throws {GitError} `RepositoryBroken` or `GitFailed`; what is served is then as it was.
   */
  async publish(repository: PackageRepository): Promise<void> {
    const { packageName, digest, signal } = repository;
    const name = gitRepositoryName(repository.url);
    await this.#inTurn(name, async () => {
      ensureDir(this.#root);
      await this.withSource(repository, async (source) => {
        const served = this.#served(name);
        await served.prepare(`${this.#temporary}/${crypto.randomUUID()}.git`);
        await served.publish({
          source,
          packageName,
          digest: digestHex(digest),
          clone: /\d+$/.exec(gitFolderName(repository.url))?.[0] ?? "0",
          ...(signal === undefined ? {} : { signal }),
        });
      });
    });
  }

  /** Gives `action` a bare copy of a package's repository, which is removed afterwards. */
  async withSource<T>(
    { url, directory }: Pick<PackageRepository, "url" | "directory">,
    action: (source: SourceRepository) => Promise<T>,
  ): Promise<T> {
    ensureDir(this.#root);
    const copy = `${this.#temporary}/${crypto.randomUUID()}.git`;
    Deno.mkdirSync(copy, { recursive: true, mode: 0o700 });
    try {
      const source = copySource(cloneOf(url, directory), copy);
      gitFailpoint("git.source.copied");
      return await action(source);
    } finally {
      removeQuietly(copy);
    }
  }

  /**
   * Forgets what other packages brought than `isWanted` says yes to, and removes what nobody needs.
   *
   * @param isWanted is asked when it is a repository's turn.
   * @returns the names of the repositories that are gone
   */
  async retain(isWanted: (digest: Digest) => boolean, signal?: AbortSignal): Promise<string[]> {
    const keep = ({ digest }: Publication) => isWanted(`sha256:${digest}`);
    const removed: string[] = [];
    for (const name of this.names()) {
      signal?.throwIfAborted();
      await this.#inTurn(name, async () => {
        const served = this.#served(name);
        const { publications } = await served.holdings();
        if (publications.length > 0 && publications.every(keep)) return;
        if (publications.some(keep)) {
          await served.prepare(`${this.#temporary}/${crypto.randomUUID()}.git`);
          await served.settle(keep);
          await served.collect(signal);
        } else {
          this.#remove(name, served.directory);
          removed.push(name);
        }
      });
    }
    return removed;
  }

  #remove(name: string, directory: string): void {
    const aside = `${this.#temporary}/${name}.${crypto.randomUUID()}.removed`;
    systemFs.rename(directory, aside);
    systemFs.fsyncDir(this.#root);
    removeQuietly(aside);
  }

  #served(name: string): ServedRepository {
    return new ServedRepository(this.#git, `${this.#root}/${name}${SUFFIX}`);
  }

  /** Waits for what goes on with the repository, then does `action`. */
  async #inTurn<T>(name: string, action: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(name) ?? Promise.resolve();
    const turn = before.then(action, action);
    this.#turns.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(name) === turn) this.#turns.delete(name);
    }
  }
}

/** Zarf 0.84, src/internal/git/repository.go Open: packages of Zarf 0.24 and before name it otherwise. */
function cloneOf(url: string, directory: string): string {
  for (const folder of [gitFolderName(url), gitRepositoryName(url)]) {
    if (isOwnDirectory(`${directory}/${folder}`)) return `${directory}/${folder}`;
  }
  throw new GitError({
    reason: "RepositoryBroken",
    message: `the package has no repository ${gitFolderName(url)}`,
    kept: "what is served is as it was",
    remedy: "build the package anew",
  });
}
