import { HoldfastError, type ListenReason } from "../std/mod.ts";

/** Why admission does not work; `TlsInvalid`: the certificates are not what this room writes. */
export type AdmissionReason = ListenReason | "TlsInvalid";

/** The webhook cannot be served. Everything else that the agent does goes on. */
export class AdmissionError extends HoldfastError<AdmissionReason> {}
