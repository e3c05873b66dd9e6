import { HoldfastError } from "../std/mod.ts";

/** Why a package was not deployed. */
export type DeployReason =
  /** The package uses a feature that this version does not have. Nothing was touched. */
  | "Unsupported"
  /** The settings that the site has for the package cannot be used. Nothing was touched. */
  | "SettingsInvalid"
  /** The settings of the package choose components that it does not have. Nothing was touched. */
  | "SelectionInvalid"
  /** A variable has no value, and somebody must give one. Nothing was touched. */
  | "VariableMissing"
  /** A variable's value does not match the package's pattern. Nothing was touched. */
  | "VariableInvalid"
  /** The values of the package, or the site's, are not what the package needs. */
  | "ValuesInvalid"
  /** A Go template of the package cannot be filled in. */
  | "TemplateFailed"
  /** Policy does not let the package run its actions. Nothing was touched. */
  | "ActionsRefused"
  /** The package puts files where it may not. Nothing was touched. */
  | "FilesRefused"
  /** A manifest, chart or values file of the package cannot be used. */
  | "PackageBroken"
  /** There is no Zarf state yet, so nothing can be pulled. */
  | "NotBootstrapped"
  /** A command of the package failed; the message says which and what it said last. */
  | "ActionFailed"
  /** A file of the package could not be put in its place; the message names it. */
  | "FileFailed"
  /** A git repository of the package is broken, or could not be brought to its readers. */
  | "RepositoryFailed"
  /** Data of the package could not be brought into a pod; the message names pod and container. */
  | "InjectionFailed"
  /** Helm refused or failed; the message is its own. */
  | "ChartFailed"
  /** Somebody's webhook or policy, a quota or Pod Security refuses an object; the message is theirs. */
  | "ObjectRefused"
  /** The API server does not take an object, or not this change of it. */
  | "ObjectInvalid"
  /** An object is there already and belongs to another release, or to nobody. */
  | "OwnedByOther"
  /** The cluster does not know an object's kind: its CustomResourceDefinition is not there. */
  | "KindMissing"
  /** A webhook that must agree does not answer. */
  | "WebhookDown"
  /** A namespace is being deleted. */
  | "NamespaceTerminating"
  /** A hook of a chart failed; the message names its Job and what that said last. */
  | "HookFailed"
  /** A call to the API server failed; the message is its own. */
  | "ClusterCallFailed"
  /** Something deployed cannot become ready; the message says what. */
  | "NotReady"
  /** Something deployed was not ready in time; the message says what was missing. */
  | "TimedOut"
  /** What was deployed did not become ready, and what was there before was brought back. */
  | "RolledBack"
  /** The deployment, or a component of it, took longer than it may. */
  | "DeadlineExceeded"
  /** The deployment was told to stop. */
  | "Cancelled";

/** A deployment that did not succeed. What earlier components deployed stays. */
export class DeployError extends HoldfastError<DeployReason> {}

/** The parts of an error, to make another one of it. */
export function partsOf<Reason extends string>(error: HoldfastError<Reason>) {
  return {
    reason: error.reason,
    message: error.message,
    disposition: error.disposition,
    ...(error.kept === undefined ? {} : { kept: error.kept }),
    ...(error.remedy === undefined ? {} : { remedy: error.remedy }),
    ...(error.cause === undefined ? {} : { cause: error.cause }),
  };
}
