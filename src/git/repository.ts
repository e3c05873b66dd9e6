import { dirname, isThere, readIfThere, removeQuietly, systemFs } from "../std/mod.ts";
import { GitError } from "./errors.ts";
import { gitFailpoint } from "./failpoints.ts";
import {
  type Holdings,
  parseReferences,
  publicationPrefix,
  REFERENCE_FORMAT,
} from "./publications.ts";
import type { Git } from "./run.ts";
import type { SourceRepository } from "./source.ts";
import { placeOf, type Publication, type PublicationKey, unionOf } from "./union.ts";

/** Who brings what. */
export interface Publishing extends PublicationKey {
  readonly source: SourceRepository;
  readonly signal?: AbortSignal;
}

/** What git leaves behind when it is killed while it writes a reference or a file of its own. */
const LEFTOVER = /\.lock$/;
/** The same below `objects`, where no name is a reference's. */
const LEFTOVER_OBJECT = /\.lock$|^tmp_|^\.tmp-/;
/** What was pruned may still be read by a clone that began before. */
const PRUNE_GRACE = "2.hours.ago";

/**
 * One bare repository that is served. Each package's branches and tags are kept apart, below
 * `refs/packages`, and what readers see is made of them anew each time: a kill anywhere is mended by
 * the next call.
 */
export class ServedRepository {
  readonly directory: string;
  readonly #git: Git;

  /** @param directory ends with `.git`; its parent is there. */
  constructor(git: Git, directory: string) {
    this.#git = git;
    this.directory = directory;
  }

  /** Makes the repository if it is not there, and takes away what a killed git has left in it. */
  async prepare(temporary: string): Promise<void> {
    if (isThere(this.directory)) {
      removeLeftovers(this.directory, LEFTOVER);
      removeLeftovers(`${this.directory}/objects`, LEFTOVER_OBJECT);
      return;
    }
    removeQuietly(temporary);
    await this.#git.run({
      args: ["init", "--quiet", "--bare", "--template=", "--initial-branch=main", temporary],
    });
    syncTree(temporary);
    Deno.renameSync(temporary, this.directory);
    systemFs.fsyncDir(dirname(this.directory));
    gitFailpoint("git.repository.made");
  }

  /** What it holds now. */
  async holdings(): Promise<Holdings> {
    const args = ["for-each-ref", `--format=${REFERENCE_FORMAT}`];
    return parseReferences(await this.#git.run({ args, repository: this.directory }));
  }

  /**
   * Takes a package's branches and tags in and serves them. Does nothing twice.
   *
   * @throws {GitError} `RepositoryBroken` or `GitFailed`; what is served is then as it was.
   */
  async publish(publishing: Publishing): Promise<void> {
    const { source, packageName, digest, clone, signal } = publishing;
    const key = { packageName, digest, clone };
    const { publications } = await this.holdings();
    const prefix = publicationPrefix({ ...key, sequence: placeOf(publications, key) });
    await this.#git.run({
      // fetch.unpackLimit: one pack is flushed faster than a thousand files.
      config: { "protocol.file.allow": "always", "fetch.unpackLimit": "1" },
      args: [
        ...["fetch", "--quiet", "--no-tags", "--prune", "--force", "--update-shallow"],
        ...["--no-write-fetch-head", "--no-recurse-submodules", source.directory],
        `+refs/heads/*:${prefix}/heads/*`,
        `+refs/tags/*:${prefix}/tags/*`,
      ],
      repository: this.directory,
      ...(signal === undefined ? {} : { signal }),
    });
    gitFailpoint("git.fetched");
    const taken = (await this.holdings()).publications.find((each) =>
      publicationPrefix(each) === prefix
    );
    if (taken === undefined) throw empty();
    const head = `heads/${source.head}`;
    if (taken.references.has(head)) {
      await this.#symbolic(`${prefix}/HEAD`, `${prefix}/${head}`);
    }
    gitFailpoint("git.head.set");
    const isOld = (one: Publication) =>
      one.digest === digest && one.clone === clone && publicationPrefix(one) !== prefix;
    await this.settle((one) => !isOld(one));
  }

  /**
   * Forgets what is not to be kept and serves what is left.
   *
   * @returns whether anything is left
   */
  async settle(keep: (publication: Publication) => boolean): Promise<boolean> {
    const { publications, served } = await this.holdings();
    const kept = publications.filter(keep);
    const { references, head } = unionOf(kept);
    const gone = [...served.keys()].filter((name) => !references.has(name))
      .map((name) => `refs/${name}`);
    // Apart, because `a` must be gone before there can be `a/b`.
    await this.#update(gone.map((name) => `delete ${name}`));
    await this.#update(
      [...references].filter(([name, object]) => served.get(name) !== object)
        .map(([name, object]) => `update refs/${name} ${object}`),
    );
    if (head !== undefined) await this.#symbolic("HEAD", `refs/${head}`);
    gitFailpoint("git.references.set");
    await this.#update(
      publications.filter((one) => !keep(one)).flatMap((one) => {
        const prefix = publicationPrefix(one);
        const names = [...one.references.keys(), ...(one.head === undefined ? [] : ["HEAD"])];
        return names.map((name) => `option no-deref\ndelete ${prefix}/${name}`);
      }),
    );
    syncTree(this.directory);
    gitFailpoint("git.published");
    return kept.length > 0;
  }

  /** Gives back the room of what no reference leads to any more. */
  async collect(signal?: AbortSignal): Promise<void> {
    await this.#git.run({
      args: ["-c", "pack.threads=1", "gc", "--quiet", `--prune=${PRUNE_GRACE}`],
      repository: this.directory,
      ...(signal === undefined ? {} : { signal }),
    });
    syncTree(this.directory);
  }

  async #update(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    const args = ["update-ref", "--stdin"];
    await this.#git.run({ args, stdin: `${lines.join("\n")}\n`, repository: this.directory });
  }

  async #symbolic(name: string, target: string): Promise<void> {
    if (readIfThere(`${this.directory}/${name}`) === `ref: ${target}\n`) return;
    await this.#git.run({ args: ["symbolic-ref", name, target], repository: this.directory });
  }
}

function empty(): GitError {
  return new GitError({
    reason: "RepositoryBroken",
    message: "the repository in the package has no branch and no tag",
    kept: "what is served is as it was",
    remedy: "build the package anew",
  });
}

function removeLeftovers(directory: string, leftover: RegExp): void {
  for (const entry of Deno.readDirSync(directory)) {
    const path = `${directory}/${entry.name}`;
    if (leftover.test(entry.name)) removeQuietly(path);
    else if (entry.isDirectory) removeLeftovers(path, leftover);
  }
}

/** Makes the names of everything below a directory durable: git flushes files only. */
function syncTree(directory: string): void {
  for (const entry of Deno.readDirSync(directory)) {
    if (entry.isDirectory) syncTree(`${directory}/${entry.name}`);
  }
  systemFs.fsyncDir(directory);
}
