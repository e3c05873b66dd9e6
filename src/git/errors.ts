import { HoldfastError, type ListenReason } from "../std/mod.ts";

/** Why a git repository is not served, or not listened for. */
export type GitReason =
  | ListenReason
  /** What a package has in a repository's place is none that can be used. */
  | "RepositoryBroken"
  /** The real git failed; the message is its own. */
  | "GitFailed"
  /** The site's git server did not take the repository; the message is git's or the server's. */
  | "PushFailed"
  /** The repository's children were told to stop. */
  | "Cancelled";

/** A git repository of a package could not be brought to its readers. */
export class GitError extends HoldfastError<GitReason> {}
