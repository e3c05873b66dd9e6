import { HoldfastError } from "../../src/std/mod.ts";

/**
 * The Deno that everything is built and tested with. The program reaches into its runtime (node:zlib's
 * synchronous streams, src/package/zstd.ts), so another version is not a detail.
 */
export const DENO_VERSION = "2.7.11";

/** Another Deno runs this. */
export class DenoVersionError extends HoldfastError<"WrongDeno"> {}

/** @throws {DenoVersionError} when `running` is not the pinned version. */
export function requireDeno(running: string = Deno.version.deno): void {
  if (running === DENO_VERSION) return;
  throw new DenoVersionError({
    reason: "WrongDeno",
    message: `this is Deno ${running}, and Holdfast is built and tested with ${DENO_VERSION}`,
    remedy: `run it as: npx -y deno@${DENO_VERSION} task …`,
  });
}
