import { failpoint } from "../std/mod.ts";

/** Where a test may end the process during a deployment, in the order they are passed. */
export const DEPLOY_FAILPOINTS = [
  "deploy.images.pushed",
  "deploy.outcomes.written",
  "deploy.outcomes.renamed",
  "deploy.outcomes.synced",
  "deploy.record.begin",
  "deploy.record.written",
  "deploy.component.begin",
  "deploy.action.begin",
  "deploy.action.ran",
  "deploy.action.done",
  "deploy.files.begin",
  "deploy.file.written",
  "deploy.file.placed",
  "deploy.repository.begin",
  "deploy.repositories.published",
  "deploy.chart.begin",
  "deploy.namespaces.ready",
  "deploy.chart.applied",
  "deploy.rollback.begin",
  "deploy.rollback.applied",
  "deploy.rollback.done",
  "deploy.chart.ready",
  "deploy.chart.recorded",
  "deploy.health.ready",
  "deploy.component.recorded",
  "deploy.component.done",
  "deploy.failure.begin",
  "deploy.failure.recorded",
  "deploy.failure.done",
] as const;

/** Those that only a package with data injections passes, beside the others, in their order. */
export const INJECTION_FAILPOINTS = [
  "deploy.injection.begin",
  "deploy.injection.sent",
  "deploy.injection.marked",
] as const;

/** One of {@linkcode DEPLOY_FAILPOINTS} and {@linkcode INJECTION_FAILPOINTS}. */
export type DeployFailpoint =
  | typeof DEPLOY_FAILPOINTS[number]
  | typeof INJECTION_FAILPOINTS[number];

/** {@linkcode failpoint} with a name that is on the list. */
export function deployFailpoint(name: DeployFailpoint): void {
  failpoint(name);
}
