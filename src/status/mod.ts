/**
 * Says what happened: a verdict beside each dropped file and under the data directory, the status
 * page, metrics and probes. It only tells; nothing here decides anything.
 *
 * @module
 */
export * from "./metrics.ts";
export * from "./page.ts";
export * from "./server.ts";
export * from "./verdict.ts";
export { VERDICT_SUFFIX, VerdictFiles } from "./verdict_files.ts";
