/**
 * The admission webhook: the API server asks it about pods and about the sources of Flux and Argo CD,
 * and it makes them come from the site's registry and git server.
 *
 * The room promises that an answer needs nothing but the request and, for an OCIRepository, a short
 * question to the registry, that what is stored is what Zarf's agent would have stored
 * (docs/zarf-differences.md says where not), that judging an object twice changes nothing more, that
 * nothing in the cluster waits for an agent that is not there, and that what was stored meanwhile can
 * be mended. No change of a certificate loses a request, and no clock makes one invalid.
 *
 * @module
 */
export {
  ANY_TIME,
  type CertificateAndKey,
  issueCa,
  issueCertificates,
  type IssuedCertificates,
  type IssueOptions,
  issueServerCertificate,
  SERVER_DNS_NAME,
  type Validity,
} from "./certificates.ts";
export { ADMISSION_LIMITS, type AdmissionLimits } from "./body.ts";
export { WEBHOOK_CONFIGURATION, webhookConfiguration, type WebhookParts } from "./configuration.ts";
export { ensureWebhook, type EnsureWebhookOptions, type WebhookState } from "./ensure.ts";
export { AdmissionError, type AdmissionReason } from "./errors.ts";
export {
  ARGOCD_SECRET_LABEL,
  ARGOCD_SECRET_TYPES,
  kindsWithout,
  MUTATED_KINDS,
  type MutatedKind,
  MUTATION_EXCLUSIONS,
  type MutationExclusion,
  pathOf,
} from "./kinds.ts";
export { type Mending, mendObject, mendPod, UNMENDED_SELECTOR } from "./mend.ts";
export { type AdmissionMetrics, type AdmissionResult, createAdmissionMetrics } from "./metrics.ts";
export { type Labels, type MutationPolicy, shouldMutate } from "./policy.ts";
export { type ProofOptions, proveWebhook } from "./proof.ts";
export { type AdmissionRequest } from "./review.ts";
export { type Rule, type Verdict } from "./rules/rule.ts";
export { RULES } from "./rules/rules.ts";
export { isSelected, policyOf, type SelectedObject } from "./selection.ts";
export { type Site, type SiteGitServer, type SiteRegistry } from "./site.ts";
export { LIVES, type Lives } from "./rotation.ts";
export {
  hasWebhooks,
  isAsWanted,
  loadStanding,
  putWebhooks,
  removeWebhooks,
  type Standing,
  standingOf,
  type Withdrawal,
  withdrawWebhooks,
} from "./standing.ts";
export {
  type AdmissionServer,
  serveAdmission,
  type ServeAdmissionOptions,
  type ServerTls,
} from "./serve.ts";
export { TLS_SECRET } from "./tls_content.ts";
export { AdmissionTlsRotation, ensureAdmissionTls, type RotationOptions } from "./tls_rotation.ts";
export { type AdmissionTls, loadAdmissionTls, parseAdmissionTls } from "./tls_secret.ts";
export {
  type AdmissionHandler,
  type AdmissionOptions,
  createAdmission,
  MAX_REVIEW_BYTES,
} from "./webhook.ts";
