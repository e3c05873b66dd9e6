import { HoldfastError, type ListenReason } from "../std/mod.ts";

/**
 * Why admission does not work. `TlsInvalid`: the certificates are not what this room writes;
 * `WebhookNotAnswering`: no agent was seen to answer the API server.
 */
export type AdmissionReason = ListenReason | "TlsInvalid" | "WebhookNotAnswering";

/** The webhook cannot be served. Everything else that the agent does goes on. */
export class AdmissionError extends HoldfastError<AdmissionReason> {}
