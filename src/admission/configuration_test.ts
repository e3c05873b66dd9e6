import assert from "node:assert/strict";
import { webhookConfiguration } from "./configuration.ts";

const URL = "https://127.0.0.1:7471/mutate/pod";

Deno.test("the configuration says what is asked about, whom, and what happens without an answer", () => {
  for (const failurePolicy of ["Fail", "Ignore"] as const) {
    const parts = { url: URL, caBundle: "-----BEGIN CERTIFICATE-----\né\n" };
    const optedOut = { key: "zarf.dev/agent", operator: "NotIn", values: ["skip", "ignore"] };
    assert.deepEqual(webhookConfiguration(parts, failurePolicy), {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "MutatingWebhookConfiguration",
      metadata: { name: "holdfast", labels: { "app.kubernetes.io/managed-by": "holdfast" } },
      webhooks: [{
        name: "pods.holdfast.dev",
        admissionReviewVersions: ["v1"],
        clientConfig: {
          url: URL,
          caBundle: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCsOpCg==",
        },
        failurePolicy,
        matchPolicy: "Equivalent",
        namespaceSelector: {
          matchExpressions: [
            { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system"] },
            optedOut,
          ],
        },
        objectSelector: {
          matchExpressions: [
            optedOut,
            { key: "svccontroller.k3s.cattle.io/svcname", operator: "DoesNotExist" },
          ],
        },
        reinvocationPolicy: "IfNeeded",
        rules: [{
          apiGroups: [""],
          apiVersions: ["v1"],
          operations: ["CREATE", "UPDATE"],
          resources: ["pods", "pods/ephemeralcontainers"],
          scope: "*",
        }],
        sideEffects: "None",
        timeoutSeconds: 3,
      }],
    });
  }
});
