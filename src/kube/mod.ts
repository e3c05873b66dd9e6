/**
 * A client of the Kubernetes API, on `fetch`.
 *
 * The room promises that no call hangs (each has a deadline and follows its signal), that no answer
 * is larger in memory than a named limit, that a watch that went silent ends, that every failure is a
 * {@linkcode KubeError} with a reason, and that nothing is tried again unless it was asked for.
 *
 * @module
 */
export * from "./access.ts";
export * from "./client.ts";
export { valueOfResponse } from "./encoding.ts";
export * from "./errors.ts";
export * from "./events.ts";
export { findKind, type ServedKind, servedKinds } from "./kinds.ts";
export * from "./kubeconfig.ts";
export * from "./lease.ts";
export * from "./time.ts";
export * from "./types.ts";
