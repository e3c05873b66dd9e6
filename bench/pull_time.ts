import * as v from "valibot";
import type { Cluster } from "../test/cluster/mod.ts";

const EventsSchema = v.object({
  items: v.array(v.object({
    reason: v.optional(v.string(), ""),
    message: v.optional(v.string(), ""),
  })),
});

const SECONDS_OF: Readonly<Record<string, number>> = { m: 60, s: 1, ms: 1e-3, µs: 1e-6 };

/** The seconds that the container runtime took to pull the images of a namespace's pods. */
export async function pullSeconds(
  cluster: Pick<Cluster, "kubectl">,
  namespace: string,
): Promise<number> {
  return pulledIn(await cluster.kubectl(["get", "events", "-n", namespace, "-o", "json"]));
}

/**
 * The sum of what the kubelet says of pulls: `Successfully pulled image "…" in 3.42s (3.42s
 * including waiting). Image size: …` (kubelet, pkg/kubelet/images/image_manager.go). Images that were
 * there already count nothing.
 *
 * @param events as `kubectl get events -o json` prints them.
 */
export function pulledIn(events: string): number {
  const { items } = v.parse(EventsSchema, JSON.parse(events));
  return items.reduce((sum, { reason, message }) => {
    const duration = /^Successfully pulled image .* in (\S+) \(/.exec(message)?.[1];
    return reason !== "Pulled" || duration === undefined ? sum : sum + secondsOf(duration);
  }, 0);
}

/** A duration as Go prints it (`1m2.5s`, `870ms`). */
function secondsOf(duration: string): number {
  const parts = duration.matchAll(/([\d.]+)(ms|µs|m|s)/g);
  return [...parts].reduce((sum, [, value, unit]) => {
    return sum + Number(value) * (SECONDS_OF[unit ?? ""] ?? NaN);
  }, 0);
}
