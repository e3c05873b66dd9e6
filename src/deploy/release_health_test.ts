import assert from "node:assert/strict";
import type { KubeObject } from "../kube/mod.ts";
import { releaseStatusOf } from "./release_health.ts";

function object(kind: string, spec: unknown, status: unknown, apiVersion = "v1"): KubeObject {
  return { apiVersion, kind, metadata: { name: "x", generation: 2 }, spec, status };
}

const balancer = (spec: object, status: object) =>
  object("Service", { type: "LoadBalancer", clusterIP: "10.0.0.1", ...spec }, status);
const controller = (status: object) =>
  object("ReplicationController", { replicas: 2 }, { observedGeneration: 2, ...status });

for (
  const [what, given, status, message] of [
    [
      "a load balancer without an address",
      balancer({}, { loadBalancer: {} }),
      "InProgress",
      /addr/,
    ],
    ["one with an address", balancer({}, { loadBalancer: { ingress: [{ ip: "a" }] } }), "Current"],
    ["one with external addresses", balancer({ externalIPs: ["a"] }, {}), "Current"],
    ["one without a cluster IP", balancer({ clusterIP: "" }, {}), "InProgress", /cluster IP/],
    ["another Service", object("Service", { type: "NodePort" }, {}), "Current"],
    ["a controller whose pods are ready", controller({ readyReplicas: 2 }), "Current"],
    ["a controller with one of two", controller({ readyReplicas: 1 }), "InProgress", /1 of 2/],
    [
      "a controller that was changed",
      controller({ readyReplicas: 2, observedGeneration: 1 }),
      "InProgress",
      /not seen/,
    ],
    [
      "a controller that nobody has seen",
      object("ReplicationController", { replicas: 0 }, {}),
      "InProgress",
      /not seen/,
    ],
    [
      "a custom Service",
      object("Service", { type: "LoadBalancer", clusterIP: "a" }, {}, "x/v1"),
      "Current",
    ],
    ["a failed pod", object("Pod", {}, { phase: "Failed" }), "Failed"],
    ["a ConfigMap", object("ConfigMap", {}, {}), "Current"],
  ] as const
) {
  Deno.test(`in a release ${what} is ${status}`, () => {
    const health = releaseStatusOf(given);
    assert.equal(health.status, status, health.message);
    if (message !== undefined) assert.match(health.message, message);
  });
}
