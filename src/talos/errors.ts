import { type Disposition, HoldfastError, oneLine } from "../std/mod.ts";

/**
 * Why a call to machined failed. All but the first three are gRPC's status codes:
 *
 * - `Unreachable`: there is no socket, nobody listens, or the connection was lost. Whether something
 *   was done is not known. gRPC's `UNAVAILABLE` is the same.
 * - `Timeout`: no answer in time; `DEADLINE_EXCEEDED` is the same.
 * - `BadResponse`: the answer is not what the API promises, or is over a limit.
 * - `Unauthenticated`, `PermissionDenied`: the caller may not do this, whatever it asks for.
 * - `NotFound`: no such resource, image or method's object.
 * - `FailedPrecondition`: not now, or never on a machine like this (container mode, not a control
 *   plane). The text says which.
 * - `Refused`: any other status.
 */
export type TalosErrorReason =
  | "Unreachable"
  | "Timeout"
  | "BadResponse"
  | "Unauthenticated"
  | "PermissionDenied"
  | "NotFound"
  | "AlreadyExists"
  | "InvalidArgument"
  | "FailedPrecondition"
  | "Aborted"
  | "Unimplemented"
  | "ResourceExhausted"
  | "Internal"
  | "Refused";

const DISPOSITIONS: Readonly<Record<TalosErrorReason, Disposition>> = {
  Unreachable: "retry",
  Timeout: "retry",
  BadResponse: "retry",
  Unauthenticated: "wait",
  PermissionDenied: "wait",
  NotFound: "wait",
  AlreadyExists: "terminal",
  InvalidArgument: "terminal",
  FailedPrecondition: "wait",
  Aborted: "retry",
  Unimplemented: "terminal",
  ResourceExhausted: "retry",
  Internal: "retry",
  Refused: "retry",
};

/** gRPC's status codes (grpc/doc/statuscodes.md) that have a reason of their own. */
const REASONS: Readonly<Record<number, TalosErrorReason>> = {
  3: "InvalidArgument",
  4: "Timeout",
  5: "NotFound",
  6: "AlreadyExists",
  7: "PermissionDenied",
  8: "ResourceExhausted",
  9: "FailedPrecondition",
  10: "Aborted",
  12: "Unimplemented",
  13: "Internal",
  14: "Unreachable",
  16: "Unauthenticated",
};

/** What a {@linkcode TalosError} is made of. */
export interface TalosErrorParts {
  readonly reason: TalosErrorReason;
  readonly message: string;
  /** gRPC's, if there was one. */
  readonly status?: number;
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** A failed call to machined; its disposition follows from its reason. */
export class TalosError extends HoldfastError<TalosErrorReason> {
  readonly status: number | undefined;

  constructor(parts: TalosErrorParts) {
    super({ ...parts, disposition: DISPOSITIONS[parts.reason] });
    this.status = parts.status;
  }
}

/** The error for a status that is not OK, in the server's words. */
export function statusError(call: string, status: number, message: string): TalosError {
  const reason = REASONS[status] ?? "Refused";
  const why = oneLine(message) || `status ${status}`;
  return new TalosError({ reason, status, message: `${call}: ${why}` });
}

/** The error of an answer whose end was not told: a late status is not seen, it may have failed. */
export function brokenOff(what: string): TalosError {
  return new TalosError({
    reason: "Unreachable",
    message: `${what} broke off before its end was told`,
  });
}
