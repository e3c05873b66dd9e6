/**
 * The admission webhook: the API server asks it about each pod, and it makes the pod's images come
 * from the node registry.
 *
 * The room promises that an answer needs nothing but the request, that images get the names that
 * Zarf's agent gives them, that judging a pod twice changes nothing more, and that the API server is
 * made to insist on the webhook only after it was seen to be called.
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
export { type Site, type SiteGitServer, type SiteRegistry } from "./site.ts";
export { type AdmissionServer, serveAdmission, type ServeAdmissionOptions } from "./serve.ts";
export {
  type AdmissionTls,
  ensureAdmissionTls,
  loadAdmissionTls,
  TLS_SECRET,
} from "./tls_secret.ts";
export {
  type AdmissionHandler,
  type AdmissionOptions,
  createAdmission,
  MAX_REVIEW_BYTES,
} from "./webhook.ts";
