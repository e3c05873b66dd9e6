/**
 * Deploys a package that the store holds into the cluster, as `zarf package deploy` does and under
 * the same names, so that either program goes on from what the other one left.
 *
 * The room promises that a package which it cannot deploy as a whole is refused before anything is
 * touched; that every step may be cut off and done again; that a failed upgrade goes back to what was
 * deployed before; and that an error names the component, the object and what a technician can act
 * on. Helm does the installing, as a child process; waiting and explaining are done here. Commands of
 * a package run only as policy allows, and its files go only where they may.
 *
 * @module
 */
export { type ActionPolicy, type ActionRights } from "./action_policy.ts";
export {
  type ComponentWork,
  DEFAULT_TIMEOUT,
  type DeployContext,
  type DeployOutcome,
  type DeployPackage,
  type DeployProgress,
  type SiteInputs,
} from "./context.ts";
export { deployPackage } from "./deploy.ts";
export { DeployError, type DeployReason } from "./errors.ts";
export { DEPLOY_FAILPOINTS, type DeployFailpoint, INJECTION_FAILPOINTS } from "./failpoints.ts";
export { type FileContext, placeFiles } from "./files.ts";
export { parseGoDuration } from "./go_duration.ts";
export {
  type ChartValues,
  GoTemplates,
  type GoTemplateText,
  type TemplateObjects,
  type ValueMapping,
  type ValuesLayer,
} from "./go_template.ts";
export { type Health, type HealthStatus, statusOf } from "./health.ts";
export {
  Helm,
  type HelmOptions,
  type PostRendererCommand,
  type ReleaseOptions,
  withPrivateDirectory,
} from "./helm.ts";
export { imagesToPush, type NamedImage } from "./images.ts";
export { type ComponentSource } from "./component_files.ts";
export { DEFAULT_LIMITS, type DeployLimits } from "./limits.ts";
export { type JournalBook, type JournalLine } from "./journal.ts";
export { siteValues, valuesOf, valuesSchemaOf } from "./package_values.ts";
export { planChart, planManifest, type PlannedRelease } from "./plan.ts";
export {
  postRender,
  type PostRendered,
  type PostRenderOptions,
  runPostRenderer,
  serializeSettings,
} from "./post_render.ts";
export { type RawChartName, rawChartName, writeRawChart } from "./raw_chart.ts";
export { preflight, readVariableFile } from "./preflight.ts";
export { changesOf, type FieldChange } from "./preview/changes.ts";
export type { ImageName } from "./preview/images.ts";
export type { PlannedObject } from "./preview/objects.ts";
export type * from "./preview/plan.ts";
export { type PreviewContext, previewPackage } from "./preview/preview.ts";
export { type ComponentRepository, type RepositoryTarget } from "./repositories.ts";
export { ComponentRenderer, type RenderedPart, type RenderOptions } from "./render.ts";
export { selectComponents } from "./select.ts";
export {
  invalidSettings,
  MAX_SETTINGS_FILE,
  mergeSiteSettings,
  NO_SETTINGS,
  parseDeploySection,
  parseZarfConfig,
  readSettingsText,
  type SiteSettings,
} from "./site_settings.ts";
export { unsupported } from "./unsupported.ts";
export { type WaitOptions, waitReady } from "./wait.ts";
export { type NetworkWait, waitForNetwork } from "./wait_network.ts";
export { type Kubectl, type ObjectWait, waitForObject } from "./wait_object.ts";
export {
  type ReadTextFile,
  type ResolvedVariable,
  type ResolvedVariables,
  resolveVariables,
  templatesFor,
  type VariableSources,
} from "./variables.ts";
export { type Template, type Templates } from "./template.ts";
export { type Manifest, readObjects } from "./yaml.ts";
export { type Filling, stateObject, templateObjects } from "./template_objects.ts";
export { actionTexts, preflightValues, type ValuesPreflight } from "./values_preflight.ts";
