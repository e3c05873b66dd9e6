/**
 * Keeps the cluster at the packages that were accepted: of each name the newest, each deployed once,
 * failures that may pass tried again, all others recorded with their reason.
 *
 * @module
 */
export { type PackagePlan, planPackages } from "./plan.ts";
export { type PackageActions, Reconciler, type ReconcilerOptions } from "./reconciler.ts";
