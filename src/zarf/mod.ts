/**
 * Zarf's in-cluster state, compatible with Zarf 0.84: the Secrets `zarf-state`, `zarf-package-<name>`,
 * `private-registry` and `private-git-server`, namespace `zarf`, and the push into the registry that
 * they describe. The real `zarf` reads what is written here and the other way round. Nothing is
 * written that is already so, and credentials that exist are never changed.
 *
 * @module
 */
export { decodeBase64, encodeBase64 } from "./base64.ts";
export { type ClientTls, clientTlsOf, ClientTlsSchema } from "./client_tls.ts";
export { ensureState, type EnsureStateOptions, ensureZarfNamespace } from "./ensure_state.ts";
export { ZarfError, type ZarfReason } from "./errors.ts";
export {
  ensureGitServer,
  GIT_PORT,
  GIT_SERVICE,
  isOwnGitServer,
  type NamedService,
  OWN_GIT_ADDRESS,
  serviceAt,
} from "./git_server.ts";
export { externalRegistry } from "./external_registry.ts";
export { ensureInitRecord } from "./init_record.ts";
export { Gitea, type GiteaOptions } from "./gitea.ts";
export {
  GITEA_ADDRESS,
  GITEA_SERVICE,
  hasGiteaArtifacts,
  isGitea,
  keepArtifactToken,
  prepareGitea,
  useGitea,
} from "./gitea_state.ts";
export * from "./names.ts";
export * from "./package_record.ts";
export {
  applySecret,
  ensurePullSecrets,
  holdsSecret,
  missingPullSecrets,
  needsPullSecrets,
  pullSecrets,
  type SecretManifest,
} from "./pull_secrets.ts";
export { type RandomBytes, randomPassword } from "./random.ts";
export { type PushImage, type PushSource } from "./push_plan.ts";
export { type Credentials } from "./registry_client.ts";
export {
  DEFAULT_PUSH_CONCURRENCY,
  pushImages,
  type PushOptions,
  type PushProgress,
  type PushResult,
} from "./registry_push.ts";
export {
  type AbsentImage,
  absentImages,
  RegistryView,
  type RegistryViewOptions,
} from "./registry_presence.ts";
export { askRegistry, type RegistryQuestion } from "./registry_question.ts";
export {
  nodePortOf,
  type RegistryAddress,
  type RegistryService,
  registryServiceAt,
  registryServiceOf,
} from "./registry_service.ts";
export { serviceUrl } from "./service_url.ts";
export {
  type MutationPolicy,
  type SiteAccess,
  siteAccessOf,
  SiteAccessSchema,
} from "./site_access.ts";
export {
  hasGitServer,
  isInternalRegistry,
  loadState,
  newState,
  type NewStateOptions,
  noState,
  parseState,
  saveState,
  serializeState,
  stateOf,
  type ZarfState,
  ZarfStateSchema,
} from "./state.ts";
