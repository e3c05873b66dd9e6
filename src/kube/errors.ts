import { type Disposition, HoldfastError } from "../std/mod.ts";

/**
 * Why a call to the API failed:
 *
 * - `Unreachable`: no connection, or it was lost. Whether a write happened is not known.
 * - `Timeout`: no answer in time. Whether a write happened is not known.
 * - `Unauthorized`, `Forbidden`: the credentials are not accepted, or may not do this.
 * - `NotFound`: no such object, kind or namespace.
 * - `AlreadyExists`, `Conflict`: it is there already, or changed since it was read.
 * - `Gone`: the resource version is too old; list again.
 * - `Invalid`: the server refuses the content; the text says which field.
 * - `TooLarge`: the request or the answer is over a limit.
 * - `TooManyRequests`: the server asks to slow down.
 * - `ServerError`: any 5xx, also a webhook that failed.
 * - `BadResponse`: the answer is not what the API promises.
 * - `BadKubeconfig`: the kubeconfig cannot be read or asks for what is not supported.
 */
export type KubeErrorReason =
  | "Unreachable"
  | "Timeout"
  | "Unauthorized"
  | "Forbidden"
  | "NotFound"
  | "AlreadyExists"
  | "Conflict"
  | "Gone"
  | "Invalid"
  | "TooLarge"
  | "TooManyRequests"
  | "ServerError"
  | "BadResponse"
  | "BadKubeconfig";

const DISPOSITIONS: Readonly<Record<KubeErrorReason, Disposition>> = {
  Unreachable: "retry",
  Timeout: "retry",
  Unauthorized: "wait",
  Forbidden: "wait",
  NotFound: "wait",
  AlreadyExists: "terminal",
  Conflict: "retry",
  Gone: "retry",
  Invalid: "terminal",
  TooLarge: "terminal",
  TooManyRequests: "retry",
  ServerError: "retry",
  BadResponse: "retry",
  BadKubeconfig: "wait",
};

/** What a {@linkcode KubeError} is made of. */
export interface KubeErrorParts {
  readonly reason: KubeErrorReason;
  readonly message: string;
  readonly status?: number;
  readonly retryAfter?: number;
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** A failed call to the API; its disposition follows from its reason. */
export class KubeError extends HoldfastError<KubeErrorReason> {
  /** The HTTP status, if there was an answer. */
  readonly status: number | undefined;
  /** Milliseconds that the server asks to wait. */
  readonly retryAfter: number | undefined;

  constructor(parts: KubeErrorParts) {
    super({ ...parts, disposition: DISPOSITIONS[parts.reason] });
    this.status = parts.status;
    this.retryAfter = parts.retryAfter;
  }
}

/** What the server asks to wait, for `pauseFor` of {@linkcode retry}. */
export function pauseAskedBy(error: unknown): number | undefined {
  return error instanceof KubeError ? error.retryAfter : undefined;
}

/** Whether the server was too busy or not there: what a reader or an idempotent writer may repeat. */
export function isTransient(error: unknown): boolean {
  return error instanceof KubeError && TRANSIENT.has(error.reason);
}

const TRANSIENT: ReadonlySet<KubeErrorReason> = new Set([
  "Unreachable",
  "Timeout",
  "TooManyRequests",
  "ServerError",
  "BadResponse",
]);

/** The longest wait that is taken over from a server, in milliseconds. */
const MAX_RETRY_AFTER = 60_000;
/** How much of a server's text an error carries, in characters. */
export const MAX_MESSAGE = 1000;

/** The parts of a `Status` (meta/v1) that decide about an error. */
interface Status {
  readonly reason: string | undefined;
  readonly message: string | undefined;
  readonly retryAfterSeconds: number | undefined;
}

/**
 * The error of an answer that is not a success.
 *
 * @param what What was tried, for example `GET /api/v1/pods`.
 * @param body The answer's body, a `Status` or anything else.
 */
export function errorOfResponse(
  what: string,
  status: number,
  retryAfterHeader: string | null,
  body: unknown,
): KubeError {
  const found = readStatus(body);
  const asked = secondsOf(retryAfterHeader) ?? found.retryAfterSeconds;
  const text = found.message ?? (typeof body === "string" ? body.trim() : "");
  return new KubeError({
    reason: reasonOf(status, found.reason),
    message: `${what}: the API server answered ${status}${text === "" ? "" : `: ${text}`}`
      .slice(0, MAX_MESSAGE),
    status,
    ...(asked === undefined ? {} : { retryAfter: Math.min(asked * 1000, MAX_RETRY_AFTER) }),
  });
}

function readStatus(body: unknown): Status {
  const object = asRecord(body);
  const seconds = asRecord(object.details).retryAfterSeconds;
  return {
    reason: typeof object.reason === "string" ? object.reason : undefined,
    message: typeof object.message === "string" ? object.message : undefined,
    retryAfterSeconds: typeof seconds === "number" && seconds >= 0 ? seconds : undefined,
  };
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? value as Record<string, unknown> : {};
}

/** Kubernetes sends whole seconds (apiserver, util/flowcontrol); a date is not used. */
function secondsOf(header: string | null): number | undefined {
  return header !== null && /^\d+$/.test(header) ? Number(header) : undefined;
}

/** Two reasons share a status with others; else the status decides (apimachinery, api/errors). */
function reasonOf(status: number, reason: string | undefined): KubeErrorReason {
  if (reason === "AlreadyExists") return "AlreadyExists";
  if (reason === "Expired" || reason === "Gone") return "Gone";
  switch (status) {
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "NotFound";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "TooLarge";
    case 429:
      return "TooManyRequests";
  }
  if (status >= 500) return "ServerError";
  return status >= 400 ? "Invalid" : "BadResponse";
}
