/**
 * Git repositories of packages: kept in bare repositories, one for each name, and served read-only
 * over git's smart HTTP protocol by the real git; or pushed where the site has a git server.
 *
 * The room promises that what a package has beside its objects and references is neither run nor
 * followed; that what is served is the union of what the packages brought, whatever was interrupted;
 * and that readers are bounded in number, time and what they may send.
 *
 * @module
 */
export { GitError, type GitReason } from "./errors.ts";
export { GIT_FAILPOINTS, type GitFailpoint } from "./failpoints.ts";
export {
  createGitHandler,
  type GitAccess,
  type GitHandler,
  type GitHandlerOptions,
  MAX_CHILDREN,
} from "./handler.ts";
export { type GitPushTarget, pushRepository } from "./push.ts";
export { type PackageRepository, Repositories } from "./repositories.ts";
export { Git, type GitProgram } from "./run.ts";
export { type GitServer, serveGit } from "./serve.ts";
