/**
 * The admission webhook: an HTTPS server that the API server of the same node calls by URL, and the
 * MutatingWebhookConfiguration that makes it do so.
 *
 * The room promises Zarf's result for pods (image names, pull secret, labels, annotations), that
 * nothing is rewritten twice, that an image of a pod that runs is not touched by an unrelated
 * update, and that the cluster never depends on a webhook that has not proved that it is reached.
 *
 * @module
 */
export * from "./certificates.ts";
export * from "./configuration.ts";
export * from "./errors.ts";
export * from "./server.ts";
export * from "./tls_secret.ts";
