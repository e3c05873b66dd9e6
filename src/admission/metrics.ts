/**
 * What became of a request: changed, left as it is, denied, not understood (4xx), one too many (429),
 * or failed inside (5xx).
 */
export type AdmissionResult = "patched" | "unchanged" | "denied" | "invalid" | "busy" | "failed";

/** Counters since the start, for the metrics page. */
export interface AdmissionMetrics {
  readonly requests: Record<AdmissionResult, number>;
  /** Time spent on all of them together. */
  seconds: number;
}

/** Counters at zero. */
export function createAdmissionMetrics(): AdmissionMetrics {
  return {
    requests: { patched: 0, unchanged: 0, denied: 0, invalid: 0, busy: 0, failed: 0 },
    seconds: 0,
  };
}
