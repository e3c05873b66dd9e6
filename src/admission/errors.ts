import { HoldfastError } from "../std/mod.ts";

/**
 * Why admission does not work:
 *
 * - `AddressInUse`, `AddressNotAvailable`, `Permission`, `ListenFailed`: the listener.
 * - `TlsInvalid`: the certificates in the cluster are not what this room writes.
 */
export type AdmissionReason =
  | "AddressInUse"
  | "AddressNotAvailable"
  | "Permission"
  | "ListenFailed"
  | "TlsInvalid";

/** The webhook cannot be served. Everything else that the agent does goes on. */
export class AdmissionError extends HoldfastError<AdmissionReason> {}
