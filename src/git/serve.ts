import { type HttpListening, listenHttp } from "../std/mod.ts";
import { GitError } from "./errors.ts";
import type { GitHandler } from "./handler.ts";

/** A listening git server. */
export type GitServer = HttpListening;

/** Listens for git over plain HTTP. @throws {GitError} when the address cannot be listened on. */
export function serveGit(
  handler: GitHandler,
  options: { readonly hostname: string; readonly port: number; readonly signal?: AbortSignal },
): GitServer {
  return listenHttp(
    handler,
    { ...options, what: "the git server", setting: "git-address" },
    (parts) => new GitError({ ...parts, kept: "packages are taken in all the same" }),
  );
}
