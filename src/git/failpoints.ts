import { failpoint } from "../std/mod.ts";

/** Where a test may end the process while a repository is published, in the order they are passed. */
export const GIT_FAILPOINTS = [
  "git.repository.made",
  "git.source.copied",
  "git.fetched",
  "git.head.set",
  "git.references.set",
  "git.published",
] as const;

/** One of {@linkcode GIT_FAILPOINTS}. */
export type GitFailpoint = typeof GIT_FAILPOINTS[number];

/** {@linkcode failpoint} with a name that is on the list. */
export function gitFailpoint(name: GitFailpoint): void {
  failpoint(name);
}
