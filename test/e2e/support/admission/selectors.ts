import { type AdmissionQuestion, type Json, NAMESPACES } from "./case.ts";

/** One entry of a label selector (apimachinery, LabelSelectorRequirement). */
interface Requirement {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}

/** What the API server looks at before it calls a webhook. */
export interface Selectors {
  readonly namespaceSelector?: { readonly matchExpressions?: readonly Requirement[] };
  readonly objectSelector?: { readonly matchExpressions?: readonly Requirement[] };
  /** Only the names count; what they say is known here. */
  readonly matchConditions?: readonly { readonly name: string }[];
}

/** Whether the API server calls the webhook: the new or the old object has to match. */
export function isSelected(
  { namespace, object, oldObject }: AdmissionQuestion,
  { namespaceSelector, objectSelector, matchConditions = [] }: Selectors,
): boolean {
  const isLabelled = labelsOf(object)["zarf.dev/agent"] === "mutate";
  if (matchConditions.some(({ name }) => name === "still-labelled") && !isLabelled) return false;
  const own = { ...NAMESPACES[namespace], "kubernetes.io/metadata.name": namespace };
  const objects = oldObject === undefined ? [object] : [object, oldObject];
  return matches(own, namespaceSelector?.matchExpressions) &&
    objects.some((one) => matches(labelsOf(one), objectSelector?.matchExpressions));
}

function matches(
  labels: Readonly<Record<string, string>>,
  requirements: readonly Requirement[] = [],
): boolean {
  return requirements.every(({ key, operator, values = [] }) => {
    const value = labels[key];
    switch (operator) {
      case "In":
        return value !== undefined && values.includes(value);
      case "NotIn":
        return value === undefined || !values.includes(value);
      case "Exists":
        return value !== undefined;
      case "DoesNotExist":
        return value === undefined;
    }
    throw new Error(`no operator ${operator}`);
  });
}

/** The labels of an object; of one without, none. */
export function labelsOf(object: Json): Readonly<Record<string, string>> {
  const metadata = object["metadata"] as { readonly labels?: Record<string, string> | null };
  return metadata.labels ?? {};
}

/**
 * Zarf's selectors for a path (Zarf 0.84, packages/zarf-agent/chart/templates/webhook.yaml).
 *
 * @param policy `all` or `labeled`.
 */
export function zarfSelectors(path: string, policy: string): Selectors {
  const notOptedOut = { key: "zarf.dev/agent", operator: "NotIn", values: ["skip", "ignore"] };
  const system = {
    key: "kubernetes.io/metadata.name",
    operator: "NotIn",
    values: ["kube-system"],
  };
  const own: Readonly<Record<string, Requirement>> = {
    "/mutate/pod": { key: "svccontroller.k3s.cattle.io/svcname", operator: "DoesNotExist" },
    "/mutate/argocd-repository": {
      key: "argocd.argoproj.io/secret-type",
      operator: "In",
      values: ["repository", "repo-creds"],
    },
  };
  const more = own[path];
  return {
    namespaceSelector: { matchExpressions: policy === "all" ? [system, notOptedOut] : [system] },
    objectSelector: {
      matchExpressions: more === undefined ? [notOptedOut] : [notOptedOut, more],
    },
  };
}
