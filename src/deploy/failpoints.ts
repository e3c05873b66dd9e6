import { failpoint } from "../std/mod.ts";

/** Where a test may end the process during a deployment, in the order they are passed. */
export const DEPLOY_FAILPOINTS = [
  "deploy.images.pushed",
  "deploy.outcomes.written",
  "deploy.outcomes.renamed",
  "deploy.outcomes.synced",
  "deploy.component.begin",
  "deploy.action.begin",
  "deploy.action.ran",
  "deploy.action.done",
  "deploy.file.placed",
  "deploy.repositories.published",
  "deploy.namespaces.ready",
  "deploy.chart.applied",
  "deploy.chart.ready",
  "deploy.chart.recorded",
  "deploy.component.recorded",
  "deploy.component.done",
] as const;

/** One of {@linkcode DEPLOY_FAILPOINTS}. */
export type DeployFailpoint = typeof DEPLOY_FAILPOINTS[number];

/** {@linkcode failpoint} with a name that is on the list. */
export function deployFailpoint(name: DeployFailpoint): void {
  failpoint(name);
}
