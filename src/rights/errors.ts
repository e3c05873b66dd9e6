import { HoldfastError } from "../std/mod.ts";

/**
 * Why there is no certificate:
 *
 * - `KubeletUnreadable`: the kubelet's kubeconfig, or its certificate, cannot be read.
 * - `NotKubelet`: it is no kubelet's.
 * - `NodeNameDiffers`: it is the kubelet's of a node of another name.
 * - `RequestInvalid`: what was sent is no certificate signing request.
 * - `Denied`, `SigningFailed`: the cluster said no.
 * - `RequestGone`: the request was removed before it was answered.
 * - `NotApproved`: nobody has answered it in time.
 * - `CertificateUnusable`: what came is not a certificate of the key.
 * - `CertificateRefused`: the API server does not take what the cluster has just signed.
 */
export type RightsReason =
  | "KubeletUnreadable"
  | "NotKubelet"
  | "NodeNameDiffers"
  | "RequestInvalid"
  | "Denied"
  | "SigningFailed"
  | "RequestGone"
  | "NotApproved"
  | "CertificateUnusable"
  | "CertificateRefused";

/** An agent has no certificate of its own now; it goes on asking. */
export class RightsError extends HoldfastError<RightsReason> {}
