import * as v from "valibot";
import { describeError, HoldfastError } from "../std/mod.ts";
import type { InstalledChart } from "../zarf/mod.ts";
import { DeployError, type DeployReason, partsOf } from "./errors.ts";
import { explained } from "./refusal.ts";

/** The step of the journal that what follows a component's failure is. */
export function failureStep(component: string): string {
  return `failure/${component}`;
}

/** How a component failed. */
export interface ComponentFailure {
  readonly error: DeployError;
  /** The releases that it has come to, the one that failed included. */
  readonly charts: readonly InstalledChart[];
  /** Whether the record of the package is to say so. */
  readonly isRecorded: boolean;
}

const FailureSchema = v.object({
  error: v.object({
    reason: v.string(),
    message: v.string(),
    disposition: v.picklist(["terminal", "retry", "wait"]),
    kept: v.optional(v.string()),
    remedy: v.optional(v.string()),
  }),
  charts: v.array(v.looseObject({
    namespace: v.string(),
    chartName: v.string(),
    status: v.string(),
  })),
  isRecorded: v.boolean(),
});

/** A failure as the error that is reported; undefined for one that is no refusal but a fault. */
export function failureOf(
  error: unknown,
  charts: readonly InstalledChart[],
  isRecorded: boolean,
): ComponentFailure | undefined {
  if (!(error instanceof HoldfastError)) return undefined;
  const failure = explained(error);
  const reason = failure instanceof DeployError ? failure.reason : "ClusterCallFailed";
  return { error: new DeployError({ ...partsOf(failure), reason }), charts, isRecorded };
}

/** A failure for the journal, with nothing in it that is secret. */
export function failureDetail(
  { error, charts, isRecorded }: ComponentFailure,
  redact: (text: string) => string,
): unknown {
  const { cause, message, ...parts } = partsOf(error);
  const why = cause === undefined ? message : `${message}: ${describeError(cause)}`;
  return { error: { ...parts, message: redact(why) }, charts, isRecorded };
}

/** A failure from the journal; undefined where that has none. */
export function journalledFailure(detail: unknown): ComponentFailure | undefined {
  const parsed = v.safeParse(FailureSchema, detail);
  if (!parsed.success) return undefined;
  const { error: { reason, kept, remedy, ...error }, charts, isRecorded } = parsed.output;
  return {
    error: new DeployError({
      ...error,
      // The journal has what this room wrote.
      reason: reason as DeployReason,
      ...(kept === undefined ? {} : { kept }),
      ...(remedy === undefined ? {} : { remedy }),
    }),
    charts,
    isRecorded,
  };
}
