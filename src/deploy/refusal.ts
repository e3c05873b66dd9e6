import { HoldfastError } from "../std/mod.ts";
import { DeployError, type DeployReason } from "./errors.ts";

/** What a refusal of the API server means. */
interface Refusal {
  readonly reason: DeployReason;
  readonly disposition: "terminal" | "retry";
  readonly remedy: string;
}

/** A cause in the words of the API server or of Helm, and what it means; the first one counts. */
const REFUSALS: readonly (readonly [words: RegExp, refusal: Refusal])[] = [
  [/failed calling webhook/, {
    reason: "WebhookDown",
    disposition: "retry",
    remedy: "bring back what serves the webhook, or remove its configuration",
  }],
  [/being terminated/, {
    reason: "NamespaceTerminating",
    disposition: "retry",
    remedy: "wait until the namespace is gone; finalizers of what is in it may hold it",
  }],
  [/exceeded quota/, {
    reason: "ObjectRefused",
    disposition: "retry",
    remedy: "raise the ResourceQuota, or free what is used of it",
  }],
  [/violates PodSecurity/, {
    reason: "ObjectRefused",
    disposition: "retry",
    remedy: "label the namespace for what the pods need, or mend the package",
  }],
  [
    /admission webhook .* denied the request|ValidatingAdmissionPolicy .* denied request|is forbidden/,
    {
      reason: "ObjectRefused",
      disposition: "retry",
      remedy: "mend the object, or the rule that refuses it",
    },
  ],
  [/no matches for kind|ensure CRDs are installed first|could not find the requested resource/, {
    reason: "KindMissing",
    disposition: "retry",
    remedy: "deploy what brings its CustomResourceDefinition; the package then goes on by itself",
  }],
  [/invalid ownership metadata/, {
    reason: "OwnedByOther",
    disposition: "terminal",
    remedy:
      "remove the object or what owns it, or give it another name, and drop the package again",
  }],
  [/field is immutable|updates to \S+ spec for fields other than|may not change once set/, {
    reason: "ObjectInvalid",
    disposition: "terminal",
    remedy: "delete the object, or give it another name, and drop the package again",
  }],
  [/ is invalid: |unknown field|cannot unmarshal|strict decoding error|ValidationError/, {
    reason: "ObjectInvalid",
    disposition: "terminal",
    remedy: "mend the object and build the package again",
  }],
];

/** A hook's Job in Helm's words (helm 4, pkg/kube/statuswait.go and pkg/action/hooks.go). */
const FAILED_HOOK =
  /failed (?:pre|post)-\w+: |(?:pre|post)-\w+ hooks? failed|resource Job\/|job \S+ failed/i;

/**
 * An error of Helm or of the API server, with the reason that its words give, what to do about it and
 * whether it may pass; as it is where they say nothing.
 */
export function explained<Failure extends HoldfastError>(error: Failure): Failure | DeployError {
  if (error instanceof DeployError && error.reason !== "ChartFailed") return error;
  const refusal = refusalOf(error.message);
  if (refusal === undefined) return error;
  const { reason, disposition, remedy } = refusal;
  const { message, cause, kept } = error;
  return new DeployError({
    ...{ reason, message, disposition, remedy },
    ...(cause === undefined ? {} : { cause }),
    ...(kept === undefined ? {} : { kept }),
  });
}

function refusalOf(message: string): Refusal | undefined {
  const found = REFUSALS.find(([words]) => words.test(message))?.[1];
  if (found !== undefined || !FAILED_HOOK.test(message)) return found;
  return {
    reason: "HookFailed",
    disposition: "retry",
    remedy: "mend what the hook needs, or the hook",
  };
}

/** The Job of a hook that failed, if Helm names one. */
export function failedHookJob(message: string): string | undefined {
  return /\bJob\/[^/\s]+\/([a-z0-9.-]+)|\bjob ([a-z0-9.-]+) failed/i.exec(message)?.slice(1)
    .find((name) => name !== undefined);
}

/**
 * What Helm says that matters, first: where it says that a release is not found, it is because of what
 * it says after that.
 */
export function withoutMisleading(text: string): string {
  const lines = text.split("; ").filter((line) => line.trim() !== "release: not found");
  return lines.length === 0 ? text : lines.join("; ");
}
