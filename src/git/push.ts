import { gitRepositoryName, splitGitUrl, transformGitUrl } from "../refs/mod.ts";
import { describeError, retry } from "../std/mod.ts";
import { GitError } from "./errors.ts";
import type { PackageRepository, Repositories } from "./repositories.ts";
import type { SourceRepository } from "./source.ts";

/** As with Zarf (Zarf 0.84, src/config: 3 retries; src/pkg/packager/mirror.go: 500 ms between). */
const ATTEMPTS = 3;
const PAUSE = 500;
/** How long Gitea may take to answer, in milliseconds (src/internal/gitea). */
const GITEA_TIMEOUT = 10_000;
/** All branches and all tags, none of them by force (src/internal/git/repository.go Push). */
const REFSPECS = ["refs/heads/*:refs/heads/*", "refs/tags/*:refs/tags/*"];

/** A git server that takes repositories. */
export interface GitPushTarget {
  /** `http(s)://host[:port][/prefix]`, where it is reached from here. */
  readonly base: string;
  /** Who pushes; the repositories are this user's. */
  readonly username: string;
  readonly password: string;
  /** Who is let in to read each repository, by Gitea's own API; left out where it is no Gitea. */
  readonly reader?: string;
}

/**
 * Pushes a package's repository as Zarf does: what the server has is fetched first, so that branches
 * which are ahead there stay, then all branches and tags are pushed, none by force.
 *
 * @throws {GitError} `RepositoryBroken`, or `PushFailed` with git's words.
 */
export async function pushRepository(
  repositories: Repositories,
  repository: PackageRepository,
  target: GitPushTarget,
): Promise<void> {
  const { signal } = repository;
  await repositories.withSource(
    repository,
    (source) =>
      retry(() => push(repositories, repository, source, target), {
        ...{ attempts: ATTEMPTS, initial: PAUSE, max: PAUSE },
        ...(signal === undefined ? {} : { signal }),
      }),
  );
}

async function push(
  repositories: Repositories,
  { url, signal }: PackageRepository,
  source: SourceRepository,
  target: GitPushTarget,
): Promise<void> {
  const to = transformGitUrl(target.base, splitGitUrl(url).url, target.username);
  const command = {
    config: networkConfig(target),
    repository: source.directory,
    ...(signal === undefined ? {} : { signal }),
  };
  try {
    await repositories.git.run({
      ...command,
      args: ["fetch", "--quiet", "--no-tags", to, ...REFSPECS],
    });
  } catch (error) {
    // It is not there yet, or goes another way: the push tells, as with Zarf.
    if (error instanceof GitError && error.reason === "Cancelled") throw error;
  }
  try {
    await repositories.git.run({ ...command, args: ["push", "--quiet", to, ...REFSPECS] });
  } catch (error) {
    if (error instanceof GitError && error.reason === "Cancelled") throw error;
    throw failed(`the git server did not take it: ${describeError(error)}`, error);
  }
  if (target.reader !== undefined) {
    await letRead(gitRepositoryName(url), target, target.reader, signal);
  }
}

/** The password is in the environment of the child, where only its user can read it. */
function networkConfig({ username, password }: GitPushTarget): Record<string, string> {
  return {
    "protocol.http.allow": "always",
    "protocol.https.allow": "always",
    // What is sent along would go to whoever the server names.
    "http.followRedirects": "false",
    "http.extraHeader": `Authorization: ${basic(username, password)}`,
  };
}

function basic(username: string, password: string): string {
  return `Basic ${new TextEncoder().encode(`${username}:${password}`).toBase64()}`;
}

/** Zarf 0.84, src/internal/gitea/gitea.go AddReadOnlyUserToRepository. */
async function letRead(
  name: string,
  { base, username, password }: GitPushTarget,
  reader: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const path = ["api", "v1", "repos", username, name, "collaborators", reader]
    .map(encodeURIComponent).join("/");
  const limit = AbortSignal.timeout(GITEA_TIMEOUT);
  let status: number;
  try {
    const answer = await fetch(`${base}/${path}`, {
      method: "PUT",
      headers: { authorization: basic(username, password), "content-type": "application/json" },
      body: JSON.stringify({ permission: "read" }),
      signal: signal === undefined ? limit : AbortSignal.any([limit, signal]),
    });
    await answer.body?.cancel();
    status = answer.status;
  } catch (error) {
    throw failed(
      `the git server cannot be asked to let ${reader} read: ${describeError(error)}`,
      error,
    );
  }
  if (status >= 400) {
    throw failed(`the git server does not let ${reader} read it (status ${status})`);
  }
}

function failed(message: string, cause?: unknown): GitError {
  return new GitError({
    reason: "PushFailed",
    message,
    kept: "what was pushed before stays",
    remedy: "see what the git server says; dropping the package again tries again",
    disposition: "retry",
    ...(cause === undefined ? {} : { cause }),
  });
}
