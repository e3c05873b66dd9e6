/**
 * The node registry: the pulling half of the OCI distribution API, served on loopback from the
 * store, then from the upstreams (the in-cluster registry, a peer). What a tag means is asked of a
 * book of tags first, where there is one.
 *
 * It promises that it changes nothing, that a body of a digest is that digest's bytes or a broken
 * connection, and that it works without a cluster. Images have their plain names, Zarf's
 * (`library/nginx:1.27-zarf-3892838293`) and, with `?ns=`, those of a runtime's mirror request.
 *
 * @module
 */
export { MAX_STREAMS } from "./blobs.ts";
export { RegistryError, type RegistryReason } from "./errors.ts";
export { createRegistry, type RegistryHandler, type RegistryOptions } from "./handler.ts";
export { createRegistryMetrics } from "./metrics.ts";
export { type RegistryServer, type ServeOptions, serveRegistry } from "./serve.ts";
export type { Send, TransferLimits } from "./transfer.ts";
export * from "./types.ts";
export {
  type Credentials,
  httpUpstream,
  type HttpUpstreamOptions,
  MANIFEST_TYPES,
} from "./upstream.ts";
