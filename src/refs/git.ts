import { crc32 } from "./crc32.ts";
import { formatGoUrl, hostnameOf, parseGoUrl } from "./go_url.ts";
import { quoted } from "./quoted.ts";
import { RefError } from "./reference.ts";

/** The longest URL that is looked at. */
const MAX_URL = 4096;

/**
 * Zarf 0.84, src/pkg/transform/git.go, gitURLRegex. Both languages take the leftmost match and prefer
 * the earlier alternative; a dot of Go's is anything but a line feed, which is looked for beforehand,
 * so that nothing is tried again for its sake: the time stays linear.
 */
const GIT_URL =
  /^(?<proto>[a-z]+:\/\/)(?<hostPath>.+?)\/(?<repo>[\w\-.]+?)?(?<git>\.git)?\/?(?<atRef>@\+?(?<ref>[/+\w\-.]+))?(?<gitPath>\/(?:info\/.*|git-upload-pack|git-receive-pack))?$/s;

interface GitUrl {
  /** `https://`. */
  readonly proto: string;
  /** The host with all of the path but its last part. */
  readonly hostPath: string;
  /** The last part of the path without `.git`; may be empty. */
  readonly repo: string;
  /** `.git` or empty. */
  readonly git: string;
  /** `@` and the reference, or empty. */
  readonly atRef: string;
  /** A branch, tag or commit, as Zarf writes it behind the URL; or empty. */
  readonly ref: string;
  /** What git's HTTP protocol puts behind the URL of a repository; or empty. */
  readonly gitPath: string;
}

/** A URL of a git repository and the reference that stood behind it. */
export interface SplitGitUrl {
  readonly url: string;
  /** Empty where there was none. */
  readonly ref: string;
}

/**
 * The URL without what Zarf allows behind it, `https://host/repo.git@v1` (GitURLSplitRef).
 *
 * @throws {RefError} `NotAGitUrl`.
 */
export function splitGitUrl(url: string): SplitGitUrl {
  const { proto, hostPath, repo, git, ref } = parseGitUrl(url);
  return { url: `${proto}${hostPath}/${repo}${git}`, ref };
}

/**
 * The directory that holds a repository in a package: `<repo>-<CRC-32 of all of the URL>`
 * (GitURLtoFolderName).
 *
 * @throws {RefError} `NotAGitUrl`.
 */
export function gitFolderName(url: string): string {
  const { proto, hostPath, repo, git, atRef } = parseGitUrl(url);
  return `${repo}-${crc32(`${proto}${hostPath}/${repo}${git}${atRef}`)}`;
}

/**
 * The name of a repository on the git server of the site: `<repo>-<CRC-32 of host/path/repo>`, the
 * same with and without `.git` and for every protocol (GitURLtoRepoName).
 *
 * @throws {RefError} `NotAGitUrl`.
 */
export function gitRepositoryName(url: string): string {
  const { hostPath, repo } = parseGitUrl(url);
  return `${repo}-${crc32(`${hostPath}/${repo}`)}`;
}

/**
 * Where a repository is found on the git server at `baseUrl`: `<base>/<owner>/<name>[.git]`, with
 * what git's HTTP protocol put behind it (GitURL).
 *
 * @throws {RefError} `NotAGitUrl`, or `NotAUrl` when no URL comes out.
 */
export function transformGitUrl(baseUrl: string, url: string, owner: string): string {
  const { git, gitPath } = parseGitUrl(url);
  const moved = `${baseUrl}/${owner}/${gitRepositoryName(url)}${git}${gitPath}`;
  return formatGoUrl(readUrl(moved));
}

/** Whether a URL has the scheme `oci` (defenseunicorns/pkg/helpers v2.0.4, IsOCIURL). */
export function isOciUrl(url: string): boolean {
  return parseGoUrl(url)?.scheme === "oci";
}

/**
 * Whether two URLs name the same host, letter for letter and whatever the port
 * (defenseunicorns/pkg/helpers v2.0.4, DoHostnamesMatch).
 *
 * @throws {RefError} `NotAUrl`.
 */
export function hostnamesMatch(first: string, second: string): boolean {
  return hostnameOf(readUrl(first)) === hostnameOf(readUrl(second));
}

function readUrl(text: string) {
  const url = parseGoUrl(text);
  if (url === undefined) throw refError("NotAUrl", text, "a URL");
  return url;
}

function parseGitUrl(url: string): GitUrl {
  const isSearched = url.length <= MAX_URL && !url.includes("\n");
  const groups = isSearched ? GIT_URL.exec(url)?.groups : undefined;
  if (groups === undefined) throw refError("NotAGitUrl", url, "a URL of a git repository");
  const { proto = "", hostPath = "", repo = "", git = "", atRef = "", ref = "", gitPath = "" } =
    groups;
  return { proto, hostPath, repo, git, atRef, ref, gitPath };
}

function refError(reason: "NotAUrl" | "NotAGitUrl", url: string, what: string): RefError {
  // Messages are read by others than the owner of a password.
  const shown = quoted(url.replace(/\/\/[^/]*@/, "//…@"));
  return new RefError({
    reason,
    message: `${shown} is not ${what}`,
    remedy: "write it as https://host/path/repository.git",
  });
}
