import { AGENT_LABEL } from "../zarf/mod.ts";

/** What becomes of objects that nothing is said about: all are changed, or only labelled ones. */
export type MutationPolicy = "all" | "labeled";

/** Labels of an object or of a namespace. */
export type Labels = Readonly<Record<string, string>> | null | undefined;

/**
 * Whether the webhook changes an object. The object's own label {@linkcode AGENT_LABEL} decides, then
 * its namespace's, then the policy: `mutate` is yes, `ignore` and `skip` are no, anything else says
 * nothing (Zarf 0.84, src/internal/agent/operations/mutate.go, ShouldMutate).
 *
 * @param namespaceLabels Absent for what is in no namespace.
 */
export function shouldMutate(
  objectLabels: Labels,
  namespaceLabels: Labels,
  policy: MutationPolicy,
): boolean {
  return answerOf(objectLabels) ?? answerOf(namespaceLabels) ?? policy === "all";
}

/** Whether an object itself says that it stays as it is. */
export function isOptedOut(objectLabels: Labels): boolean {
  return answerOf(objectLabels) === false;
}

function answerOf(labels: Labels): boolean | undefined {
  switch (labels?.[AGENT_LABEL]) {
    case "mutate":
      return true;
    case "ignore":
    case "skip":
      return false;
    default:
      return undefined;
  }
}
