/** The signer of certificates for clients of the API server (kubernetes.io, certificate signing requests). */
export const SIGNER = "kubernetes.io/kube-apiserver-client";
/** Every agent that has its rights by way of its node. */
export const NODES_GROUP = "holdfast:nodes";
/** An agent's user name is this and the node's name. */
export const NODE_USER_PREFIX = "holdfast:node:";
/** A kubelet's user name is this and the node's name (kubernetes.io, Node authorization). */
export const KUBELET_USER_PREFIX = "system:node:";
/** The group of every kubelet. */
export const KUBELETS_GROUP = "system:nodes";
/** How long a certificate may count, in seconds: a week. */
export const LIFETIME_SECONDS = 7 * 24 * 3_600;
/** What a certificate is for. */
export const USAGES = ["client auth", "digital signature"] as const;
/** In namespace `zarf`: of the state what readers need. */
export const NODE_STATE_SECRET = "holdfast-nodes";
/** Of ClusterRole bindings, Roles and their bindings. */
export const RIGHTS_NAME = "holdfast:nodes";

/** The kind of the requests. */
export const REQUESTS = {
  apiVersion: "certificates.k8s.io/v1",
  kind: "CertificateSigningRequest",
} as const;
