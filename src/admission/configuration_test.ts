import assert from "node:assert/strict";
import type { KubeObject } from "../kube/mod.ts";
import { webhookConfiguration, type WebhookParts } from "./configuration.ts";
import { type LabelRequirement, MUTATED_KINDS, type MutatedKind, pathOf } from "./kinds.ts";
import { type Labels, type MutationPolicy, shouldMutate } from "./policy.ts";
import { RULES } from "./rules/rules.ts";
import { isSelected } from "./selection.ts";

const PARTS: WebhookParts = {
  address: "127.0.0.1:7471",
  caBundle: "-----BEGIN CERTIFICATE-----\né\n",
  policy: "all",
};

interface Webhook {
  readonly name: string;
  readonly failurePolicy: string;
  readonly timeoutSeconds: number;
  readonly clientConfig: { readonly url: string };
  readonly namespaceSelector: { readonly matchExpressions: readonly LabelRequirement[] };
  readonly objectSelector: { readonly matchExpressions: readonly LabelRequirement[] };
  readonly matchConditions?: readonly { readonly name: string }[];
}

function webhooks(parts: Partial<WebhookParts> = {}): Webhook[] {
  return webhookConfiguration({ ...PARTS, ...parts }).webhooks as Webhook[];
}

Deno.test("the webhook for pods says what is asked about, whom, and that nobody waits for it", () => {
  const notOptedOut = { key: "zarf.dev/agent", operator: "NotIn", values: ["skip", "ignore"] };
  assert.deepEqual(webhooks()[0], {
    name: "pod.holdfast.dev",
    admissionReviewVersions: ["v1", "v1beta1"],
    clientConfig: {
      url: "https://127.0.0.1:7471/mutate/pod",
      caBundle: "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCsOpCg==",
    },
    failurePolicy: "Ignore",
    matchConditions: [
      {
        name: "no-mirror-pod",
        expression: "!has(object.metadata.annotations) || " +
          "!('kubernetes.io/config.mirror' in object.metadata.annotations)",
      },
      {
        name: "spec-is-new",
        expression: "request.operation != 'UPDATE' || object.spec != oldObject.spec",
      },
    ],
    matchPolicy: "Equivalent",
    namespaceSelector: {
      matchExpressions: [
        { key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["kube-system"] },
        notOptedOut,
      ],
    },
    objectSelector: {
      matchExpressions: [
        notOptedOut,
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
  });
});

Deno.test("the kinds and their paths are those of Zarf's chart, and each has its rule", () => {
  const found = MUTATED_KINDS.map((kind) =>
    `${pathOf(kind)} ${kind.group}/${kind.versions} ${kind.resources}`
  );
  assert.deepEqual(found, [
    "/mutate/pod /v1 pods,pods/ephemeralcontainers",
    "/mutate/flux-ocirepository source.toolkit.fluxcd.io/* ocirepositories",
    "/mutate/flux-helmrepository source.toolkit.fluxcd.io/* helmrepositories",
    "/mutate/flux-gitrepository source.toolkit.fluxcd.io/v1beta1,v1beta2,v1 gitrepositories",
    "/mutate/argocd-application argoproj.io/v1alpha1 applications",
    "/mutate/argocd-applicationset argoproj.io/v1alpha1 applicationsets",
    "/mutate/argocd-repository /v1 secrets",
    "/mutate/argocd-appproject argoproj.io/v1alpha1 appprojects",
  ]);
  for (const kind of MUTATED_KINDS) assert.equal(RULES.get(pathOf(kind))?.kind, kind.kind);
  assert.equal(RULES.size, MUTATED_KINDS.length);
});

Deno.test("no webhook is insisted on, whatever the policy, and none waits for longer", () => {
  for (const policy of ["all", "labeled"] as const) {
    const all = webhooks({ policy });
    assert.equal(all.length, policy === "all" ? 8 : 16);
    assert.equal(new Set(all.map(({ name }) => name)).size, all.length);
    for (const { name, failurePolicy, timeoutSeconds, clientConfig } of all) {
      assert.match(name, /^[a-z-]+\.holdfast\.dev$/);
      assert.deepEqual([failurePolicy, timeoutSeconds], ["Ignore", 3]);
      assert.match(clientConfig.url, /^https:\/\/127\.0\.0\.1:7471\/mutate\/[a-z-]+$/);
    }
  }
});

Deno.test("what somebody else changes has no webhook", () => {
  const names = (...exclusions: ("flux" | "argocd")[]) =>
    webhooks({ exclusions }).map(({ name }) => name.replace(".holdfast.dev", ""));
  assert.deepEqual(names("flux"), [
    "pod",
    "argocd-application",
    "argocd-applicationset",
    "argocd-repository",
    "argocd-appproject",
  ]);
  assert.deepEqual(names("argocd"), [
    "pod",
    "flux-ocirepository",
    "flux-helmrepository",
    "flux-gitrepository",
  ]);
  assert.deepEqual(names("flux", "argocd"), ["pod"]);
});

/** How the API server reads a selector (apimachinery, pkg/labels, Requirement.Matches). */
function matches(requirements: readonly LabelRequirement[], labels: Labels): boolean {
  return requirements.every(({ key, operator, values = [] }) => {
    const value = labels?.[key];
    switch (operator) {
      case "In":
        return value !== undefined && values.includes(value);
      case "NotIn":
        return value === undefined || !values.includes(value);
      case "DoesNotExist":
        return value === undefined;
    }
  });
}

/** How many of the webhooks for a kind the API server asks. */
function asked(kind: MutatedKind, policy: MutationPolicy, namespace: Labels, object: Labels) {
  const path = `https://127.0.0.1:7471${pathOf(kind)}`;
  return webhooks({ policy }).filter(({ clientConfig, namespaceSelector, objectSelector }) =>
    clientConfig.url === path && matches(namespaceSelector.matchExpressions, namespace) &&
    matches(objectSelector.matchExpressions, object)
  ).length;
}

/** Zarf 0.84, packages/zarf-agent/chart/templates/webhook.yaml. */
function zarfAsks(
  kind: MutatedKind,
  policy: MutationPolicy,
  namespace: Labels,
  object: Labels,
): boolean {
  const agent = (labels: Labels) => !["skip", "ignore"].includes(labels?.["zarf.dev/agent"] ?? "");
  const secretType = object?.["argocd.argoproj.io/secret-type"] ?? "";
  return namespace?.["kubernetes.io/metadata.name"] !== "kube-system" &&
    (policy !== "all" || agent(namespace)) && agent(object) &&
    (kind.kind !== "Pod" || object?.["svccontroller.k3s.cattle.io/svcname"] === undefined) &&
    (kind.kind !== "Secret" || ["repository", "repo-creds"].includes(secretType));
}

Deno.test("the selectors alone choose what Zarf's chart and Zarf's agent choose together", () => {
  const answers = [undefined, "mutate", "ignore", "skip", "other"];
  const extras: Readonly<Record<string, string>>[] = [
    {},
    { app: "web" },
    { "svccontroller.k3s.cattle.io/svcname": "web" },
    { "argocd.argoproj.io/secret-type": "repository" },
    { "argocd.argoproj.io/secret-type": "repo-creds" },
    { "argocd.argoproj.io/secret-type": "cluster" },
  ];
  let chosen = 0;
  const labelled = (answer: string | undefined, rest: Readonly<Record<string, string>>) =>
    answer === undefined ? rest : { ...rest, "zarf.dev/agent": answer };
  for (const kind of MUTATED_KINDS) {
    for (const policy of ["all", "labeled"] as const) {
      for (const name of ["default", "kube-system"]) {
        for (const ofNamespace of answers) {
          for (const ofObject of answers) {
            for (const extra of extras) {
              const namespace = labelled(ofNamespace, { "kubernetes.io/metadata.name": name });
              const object = labelled(ofObject, extra);
              const wanted = zarfAsks(kind, policy, namespace, object) &&
                shouldMutate(object, namespace, policy);
              const what = `${kind.name} ${policy} ${JSON.stringify([namespace, object])}`;
              assert.equal(asked(kind, policy, namespace, object), wanted ? 1 : 0, what);
              const target = { labels: object, namespace: { name, labels: namespace } };
              assert.equal(isSelected(kind, target, policy), wanted, what);
              if (wanted) chosen++;
            }
          }
        }
      }
    }
  }
  assert.ok(chosen > 500, "there is something to choose");
});

Deno.test("an update that takes the label away is not asked about for the label that was", () => {
  for (const { name, matchConditions = [] } of webhooks({ policy: "labeled" })) {
    const names = matchConditions.map((condition) => condition.name);
    const isByLabel = !name.includes("-by-namespace.");
    assert.equal(names.includes("still-labelled"), isByLabel, name);
    assert.equal(names.includes("spec-is-new"), name.startsWith("pod"), name);
  }
  const conditions = webhooks({ policy: "all" }).flatMap((one) => one.matchConditions ?? []);
  assert.deepEqual(conditions.map(({ name }) => name), ["no-mirror-pod", "spec-is-new"]);
});

Deno.test("the configuration is called holdfast and says whose it is", () => {
  const { metadata, kind }: KubeObject = webhookConfiguration(PARTS);
  assert.equal(kind, "MutatingWebhookConfiguration");
  assert.deepEqual(metadata, {
    name: "holdfast",
    labels: { "app.kubernetes.io/managed-by": "holdfast" },
  });
});
