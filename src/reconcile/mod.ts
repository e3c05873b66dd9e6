/**
 * Keeps the cluster at the packages that were accepted: of each name the newest, each deployed once,
 * failures that may pass tried again, all others recorded with their reason. What somebody else does
 * to a package in the cluster stands, and its record says so.
 *
 * @module
 */
export { type Elsewhere, elsewhere } from "./elsewhere.ts";
export { type PackagePlan, planPackages } from "./plan.ts";
export { type PackageActions, Reconciler, type ReconcilerOptions } from "./reconciler.ts";
