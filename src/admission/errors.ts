import { HoldfastError } from "../std/mod.ts";

/** Why the webhook does not listen. */
export type AdmissionErrorReason = "AddressInUse" | "ListenFailed" | "BadCertificate";

/** The webhook cannot be started; the cluster is unchanged. */
export class AdmissionError extends HoldfastError<AdmissionErrorReason> {}
