/**
 * A moment as Kubernetes' `MicroTime`: RFC 3339 in UTC with exactly six digits. JavaScript knows
 * only milliseconds, the last three are zero.
 */
export function microTime(date: Date): string {
  return date.toISOString().replace("Z", "000Z");
}
