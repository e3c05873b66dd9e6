import * as v from "valibot";
import { type ParsedRequest, parseRequest } from "./certificate_request.ts";
import {
  KUBELET_USER_PREFIX,
  KUBELETS_GROUP,
  LIFETIME_SECONDS,
  NODE_USER_PREFIX,
  NODES_GROUP,
  SIGNER,
  USAGES,
} from "./names.ts";

/** What becomes of a request: `approve` only while there is a Node of this name. */
export type Verdict =
  | { readonly what: "leave" }
  | { readonly what: "deny"; readonly why: string }
  | { readonly what: "approve"; readonly node: string };

/** A CertificateSigningRequest; who asks was written into it by the API server. */
const RequestSchema = v.looseObject({
  spec: v.looseObject({
    signerName: v.string(),
    request: v.string(),
    username: v.optional(v.string(), ""),
    groups: v.nullish(v.array(v.string())),
    usages: v.nullish(v.array(v.string())),
    expirationSeconds: v.nullish(v.number()),
  }),
  status: v.nullish(v.looseObject({
    conditions: v.nullish(v.array(v.looseObject({ type: v.string() }))),
  })),
});

type Spec = v.InferOutput<typeof RequestSchema>["spec"];

/**
 * What becomes of a CertificateSigningRequest. It is approved when the kubelet of a node asks, as
 * itself, for a certificate of this node's agent and for nothing else. What asks for the name of an
 * agent in any other way is denied; what does not, or is decided, is left to others.
 */
export function judge(object: unknown): Verdict {
  const result = v.safeParse(RequestSchema, object);
  if (!result.success) return { what: "leave" };
  const { spec, status } = result.output;
  const decided = status?.conditions?.some(({ type }) => type === "Approved" || type === "Denied");
  if (spec.signerName !== SIGNER || decided) return { what: "leave" };
  const request = readRequest(spec.request);
  if (request === undefined || !asksForAgent(request)) return { what: "leave" };
  const why = objectionTo(spec, request);
  if (why !== undefined) return { what: "deny", why };
  return { what: "approve", node: spec.username.slice(KUBELET_USER_PREFIX.length) };
}

function readRequest(encoded: string): ParsedRequest | undefined {
  try {
    return parseRequest(new TextDecoder().decode(Uint8Array.fromBase64(encoded)));
  } catch {
    // Whoever wrote it is no agent.
    return undefined;
  }
}

function asksForAgent({ subject }: ParsedRequest): boolean {
  return subject.some(({ type, value }) =>
    type === "CN" && value.startsWith(NODE_USER_PREFIX) || type === "O" && value === NODES_GROUP
  );
}

function objectionTo(spec: Spec, request: ParsedRequest): string | undefined {
  const node = spec.username.startsWith(KUBELET_USER_PREFIX)
    ? spec.username.slice(KUBELET_USER_PREFIX.length)
    : "";
  if (node === "" || !spec.groups?.includes(KUBELETS_GROUP)) {
    return `only the kubelet of a node may ask for this, not ${JSON.stringify(spec.username)}`;
  }
  const names = request.subject.filter(({ type }) => type === "CN");
  if (names.length !== 1 || names[0]?.value !== NODE_USER_PREFIX + node) {
    return `the kubelet of node ${node} may ask for ${NODE_USER_PREFIX}${node} only`;
  }
  const organizations = request.subject.filter(({ type }) => type === "O");
  if (organizations.length !== 1 || organizations[0]?.value !== NODES_GROUP) {
    return `the group must be ${NODES_GROUP} and no other`;
  }
  if (request.subject.length !== 2) return "the subject holds more than a group and a name";
  if (request.hasAttributes) return "the request asks for more than a subject";
  const usages = [...new Set(spec.usages ?? [])].sort();
  if (usages.join() !== [...USAGES].sort().join() && usages.join() !== USAGES[0]) {
    return `the usages must be ${USAGES.join(" and ")}`;
  }
  const seconds = spec.expirationSeconds ?? Infinity;
  if (seconds > LIFETIME_SECONDS) return `a certificate may count for ${LIFETIME_SECONDS} s`;
  return undefined;
}
