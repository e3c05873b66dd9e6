import type { RegistryMetrics } from "./types.ts";

/** Counters at zero. */
export function createRegistryMetrics(): RegistryMetrics {
  return { requests: {}, bytes: {}, upstreamErrors: {}, activeStreams: 0 };
}

/** Counts one answered request. */
export function countRequest(metrics: RegistryMetrics, route: string, status: number): void {
  const byStatus = metrics.requests[route] ??= {};
  add(byStatus, String(status), 1);
}

/** Adds to a counter that may not be there yet. */
export function add(counters: Record<string, number>, name: string, amount: number): void {
  counters[name] = (counters[name] ?? 0) + amount;
}
