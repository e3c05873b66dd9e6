import { AGENT_LABEL } from "../zarf/mod.ts";
import type { LabelRequirement, MatchCondition, MutatedKind } from "./kinds.ts";
import { type Labels, type MutationPolicy, shouldMutate } from "./policy.ts";

/** What the API server looks at before it asks a webhook. */
export interface Selectors {
  /** Follows the kind's name where there are two webhooks for it. */
  readonly suffix: string;
  readonly namespace: readonly LabelRequirement[];
  readonly object: readonly LabelRequirement[];
  readonly conditions?: readonly MatchCondition[];
}

/** The policy that Zarf's state names; anything but `labeled` is `all` (Zarf 0.84, PolicyFromEnv). */
export function policyOf(agentMutationPolicy: string): MutationPolicy {
  return agentMutationPolicy === "labeled" ? "labeled" : "all";
}

/** Holds what a cluster needs to come up at all. */
const SYSTEM_NAMESPACE = "kube-system";
/** Kubernetes sets it on every namespace. */
const NAME_LABEL = "kubernetes.io/metadata.name";

const NOT_SYSTEM: LabelRequirement = {
  key: NAME_LABEL,
  operator: "NotIn",
  values: [SYSTEM_NAMESPACE],
};

function agentLabel(operator: "In" | "NotIn", ...values: readonly string[]): LabelRequirement {
  return { key: AGENT_LABEL, operator, values };
}

/**
 * Of an update the selector of objects takes the old object for an answer as well (apiserver,
 * pkg/admission/plugin/webhook/predicates/object), Zarf only what the object is to be.
 */
const STILL_LABELLED: MatchCondition = {
  name: "still-labelled",
  expression: `has(object.metadata.labels) && '${AGENT_LABEL}' in object.metadata.labels && ` +
    `object.metadata.labels['${AGENT_LABEL}'] == 'mutate'`,
};

/**
 * The selectors of the webhooks for one kind. They leave nothing for the webhook to ask the API server
 * about: what they choose is to be changed. With the policy `all` they are Zarf's own; with `labeled`
 * Zarf's agent reads the namespace's labels for each request, in whose place there are two webhooks
 * here, no object being chosen by both.
 */
export function selectorsOf(kind: MutatedKind, policy: MutationPolicy): readonly Selectors[] {
  const objects = kind.objects ?? [];
  const notOptedOut = agentLabel("NotIn", "skip", "ignore");
  if (policy === "all") {
    return [{
      suffix: "",
      namespace: [NOT_SYSTEM, notOptedOut],
      object: [notOptedOut, ...objects],
    }];
  }
  return [
    {
      suffix: "",
      namespace: [NOT_SYSTEM],
      object: [agentLabel("In", "mutate"), ...objects],
      conditions: [STILL_LABELLED],
    },
    {
      suffix: "-by-namespace",
      namespace: [NOT_SYSTEM, agentLabel("In", "mutate")],
      object: [agentLabel("NotIn", "skip", "ignore", "mutate"), ...objects],
    },
  ];
}

/** An object as the selectors see it. */
export interface SelectedObject {
  readonly labels: Labels;
  readonly namespace: { readonly name: string; readonly labels: Labels };
}

/** Whether {@linkcode selectorsOf} choose an object: what is to be changed, had it been asked about. */
export function isSelected(
  kind: MutatedKind,
  { labels, namespace }: SelectedObject,
  policy: MutationPolicy,
): boolean {
  const namespaceOptsOut = policy === "all" && !shouldMutate(undefined, namespace.labels, "all");
  return namespace.name !== SYSTEM_NAMESPACE && !namespaceOptsOut &&
    shouldMutate(labels, namespace.labels, policy) &&
    (kind.objects ?? []).every((requirement) => isMet(requirement, labels));
}

/** As meta/v1, LabelSelectorRequirement: an absent label is not `In` anything, and `NotIn` all. */
function isMet({ key, operator, values = [] }: LabelRequirement, labels: Labels): boolean {
  const value = labels?.[key];
  if (operator === "DoesNotExist") return value === undefined;
  return (value !== undefined && values.includes(value)) === (operator === "In");
}
