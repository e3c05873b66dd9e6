/**
 * The few helpers that everybody needs: errors with a reason, time, retries, log lines, complaints that
 * are said once, atomic files, digests, versions, child processes, listeners, figures for people, DER,
 * certificate authorities and failpoints. It imports nothing of Holdfast.
 *
 * @module
 */
export * from "./authorities.ts";
export * from "./clock.ts";
export * from "./complaints.ts";
export * as der from "./der.ts";
export * from "./digest.ts";
export * from "./durable.ts";
export * from "./errors.ts";
export * from "./exec.ts";
export * from "./failpoint.ts";
export * from "./figures.ts";
export * from "./is_there.ts";
export * from "./listen.ts";
export * from "./log.ts";
export * from "./retry.ts";
export * from "./version.ts";
