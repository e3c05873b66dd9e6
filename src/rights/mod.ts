/**
 * How an agent on a worker comes by rights of its own: a certificate that it asks for as the kubelet
 * of its node, that an agent with an administrator's rights grants after checking who asks, and what
 * may be done with it. No secret is given to anybody beforehand, a key never leaves its node, and what
 * is not ours is left alone.
 *
 * @module
 */
export { parseRequest, requestPem } from "./certificate_request.ts";
export { CsrApprover } from "./csr_approver.ts";
export { judge, type Verdict } from "./judge.ts";
export { RightsError, type RightsReason } from "./errors.ts";
export { NODE_STATE_SECRET } from "./names.ts";
export { mayDeploy, NodeRights, WORKER_RIGHTS, type WorkerRights } from "./node_rights.ts";
export { NodeCertificate } from "./node_certificate.ts";
