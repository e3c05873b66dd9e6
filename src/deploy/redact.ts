import { HoldfastError } from "../std/mod.ts";
import { DeployError, partsOf } from "./errors.ts";

/** What stands in the place of a secret. */
const HIDDEN = "***";

/**
 * A function that hides secrets in a text, also as the base64 that Secrets hold. Each line of a secret
 * counts by itself, since output is looked at line by line.
 */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const lines = secrets.flatMap((secret) => secret.split("\n")).map((line) => line.trim());
  // The longest first: one secret may be the beginning of another.
  const encoded = secrets.map((secret) => new TextEncoder().encode(secret).toBase64());
  const hidden = [...new Set([...lines, ...encoded])].filter((line) => line !== "")
    .sort((a, b) => b.length - a.length);
  return (text) => hidden.reduce((rest, line) => rest.replaceAll(line, HIDDEN), text);
}

/** An error that says nothing secret; the same one where it does not. */
export function redactedError(error: unknown, redact: (text: string) => string): unknown {
  if (!(error instanceof HoldfastError)) return error;
  const { message, kept, remedy, cause, disposition } = partsOf(error);
  const causes = cause === undefined ? undefined : chainOf(cause);
  const texts = [message, kept ?? "", remedy ?? "", causes ?? ""];
  if (texts.every((text) => redact(text) === text)) return error;
  return new DeployError({
    reason: error instanceof DeployError ? error.reason : "ClusterCallFailed",
    ...{ message: redact(message), disposition },
    ...(kept === undefined ? {} : { kept: redact(kept) }),
    ...(remedy === undefined ? {} : { remedy: redact(remedy) }),
    ...(causes === undefined ? {} : { cause: redact(causes) }),
  });
}

/** The messages of an error and of what caused it. */
function chainOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${chainOf(error.cause)}`;
}
