/**
 * The admission webhook: the API server asks it about pods and about the sources of Flux and Argo CD,
 * and it makes them come from the site's registry and git server.
 *
 * The room promises that an answer needs nothing but the request and, for an OCIRepository, a short
 * question to the registry, that what is stored is what Zarf's agent would have stored
 * (docs/zarf-differences.md says where not), that judging an object twice changes nothing more, and
 * that the API server is made to insist on the webhook only after it was seen to be called.
 *
 * @module
 */
export {
  ANY_TIME,
  issueCertificates,
  type IssuedCertificates,
  type IssueOptions,
  SERVER_DNS_NAME,
  type Validity,
} from "./certificates.ts";
export {
  ensureWebhook,
  type EnsureWebhookOptions,
  type FailurePolicy,
  removeWebhook,
  WEBHOOK_CONFIGURATION,
  webhookConfiguration,
  type WebhookState,
} from "./configuration.ts";
export { AdmissionError, type AdmissionReason } from "./errors.ts";
export { type AdmissionMetrics, type AdmissionResult, createAdmissionMetrics } from "./metrics.ts";
export { type Labels, type MutationPolicy, shouldMutate } from "./policy.ts";
export { type AdmissionRequest } from "./review.ts";
export { type Rule, type Verdict } from "./rules/rule.ts";
export { type Site, type SiteGitServer, type SiteRegistry } from "./site.ts";
export { type AdmissionServer, serveAdmission, type ServeAdmissionOptions } from "./serve.ts";
export {
  type AdmissionTls,
  ensureAdmissionTls,
  loadAdmissionTls,
  parseAdmissionTls,
  TLS_SECRET,
} from "./tls_secret.ts";
export {
  type AdmissionHandler,
  type AdmissionOptions,
  createAdmission,
  MAX_REVIEW_BYTES,
} from "./webhook.ts";
