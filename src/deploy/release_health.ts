import type { KubeObject } from "../kube/mod.ts";
import { type Health, statusOf } from "./health.ts";
import { Fields } from "./health_fields.ts";

/**
 * Whether an object of a release is ready. Before Zarf asks kstatus it has Helm wait, which asks more of
 * two kinds (helm 4.2, pkg/kube/ready.go): of a Service of type LoadBalancer an address, and of a
 * ReplicationController that its pods are ready.
 */
export function releaseStatusOf(object: KubeObject): Health {
  const health = statusOf(object);
  if (health.status !== "Current" || object.apiVersion !== "v1") return health;
  const missing = HELM_RULES[object.kind]?.(new Fields(object));
  return missing === undefined ? health : { status: "InProgress", message: missing };
}

/** What is missing, if anything. */
type Rule = (fields: Fields) => string | undefined;

const HELM_RULES: Readonly<Record<string, Rule>> = {
  Service: (fields) => {
    if (fields.text("spec.type") !== "LoadBalancer") return undefined;
    const addresses = [
      ...fields.list("spec.externalIPs"),
      ...fields.list("status.loadBalancer.ingress"),
    ];
    return addresses.length > 0 ? undefined : "its load balancer has no address yet";
  },
  ReplicationController: (fields) => {
    if (fields.int("status.observedGeneration", 0) !== fields.int("metadata.generation", 0)) {
      return "its controller has not seen it yet";
    }
    const wanted = fields.int("spec.replicas", 1);
    const ready = fields.int("status.readyReplicas", 0);
    return ready >= wanted ? undefined : `${ready} of ${wanted} ready`;
  },
};
