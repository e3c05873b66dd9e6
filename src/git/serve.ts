import { listenFailure } from "../std/mod.ts";
import { GitError } from "./errors.ts";
import type { GitHandler } from "./handler.ts";

/** A listening git server. */
export interface GitServer {
  readonly hostname: string;
  readonly port: number;
  readonly finished: Promise<void>;
  shutdown(): Promise<void>;
}

/** Listens for git over plain HTTP. @throws {GitError} when the address cannot be listened on. */
export function serveGit(
  handler: GitHandler,
  options: { readonly hostname: string; readonly port: number; readonly signal?: AbortSignal },
): GitServer {
  const { hostname, port, signal } = options;
  try {
    const server = Deno.serve(
      { hostname, port, onListen() {}, ...(signal === undefined ? {} : { signal }) },
      handler,
    );
    const { addr, finished } = server;
    return {
      hostname: addr.hostname,
      port: addr.port,
      finished,
      shutdown: () => server.shutdown(),
    };
  } catch (cause) {
    throw new GitError({
      ...listenFailure({ what: "the git server", hostname, port, setting: "git-address" }, cause),
      kept: "packages are taken in all the same",
    });
  }
}
