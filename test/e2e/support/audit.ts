import { AUDIT_LOG, type ClusterNode } from "../../cluster/mod.ts";

/** A writing request that the API server carried out. */
export interface Write {
  readonly verb: string;
  /** `secrets`, `pods/status` */
  readonly resource: string;
  /** `namespace/name` */
  readonly object: string;
  readonly agent: string;
}

interface AuditEvent {
  readonly stage: string;
  readonly verb: string;
  readonly requestURI: string;
  readonly userAgent?: string;
  readonly user: { readonly username: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
}

/** Whose writes are not a deployment's: the cluster's own parts. */
const PARTS = /^system:(node|kube-|serviceaccount:kube-system:|apiserver)/;

/** Where the audit log of a node's API server ends now. */
export async function auditMark(node: ClusterNode): Promise<number> {
  return (await Deno.stat(node.hostPath(AUDIT_LOG))).size;
}

/**
 * What was written since a mark by whoever is no part of the cluster itself, dry runs and questions
 * (reviews) left out.
 */
export async function writesSince(node: ClusterNode, mark: number): Promise<Write[]> {
  const text = new TextDecoder().decode(
    (await Deno.readFile(node.hostPath(AUDIT_LOG))).subarray(mark),
  );
  const events: AuditEvent[] = text.split("\n").slice(0, -1).map((line) => JSON.parse(line));
  return events.filter(({ stage, user, requestURI, objectRef }) =>
    stage === "ResponseComplete" && !PARTS.test(user.username) &&
    !new URL(requestURI, "http://api").searchParams.has("dryRun") &&
    objectRef?.resource?.endsWith("reviews") !== true
  ).map(({ verb, objectRef = {}, userAgent = "" }) => ({
    verb,
    resource: [objectRef.resource, objectRef.subresource].filter(Boolean).join("/"),
    object: [objectRef.namespace, objectRef.name].filter(Boolean).join("/"),
    agent: userAgent.split("/")[0] ?? "",
  }));
}
