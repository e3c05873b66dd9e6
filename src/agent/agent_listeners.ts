import {
  createRegistry,
  type RegistryMetrics,
  serveRegistry,
  type Upstream,
} from "../registry/mod.ts";
import { serveStatus } from "../status/mod.ts";
import type { AgentBase } from "./agent_base.ts";
import { keepListening } from "./listeners.ts";
import { reportOf, type ReportSource } from "./report.ts";
import { splitAddress } from "./settings.ts";

/** Serves the node registry until the signal aborts; upstreams are asked in their order. */
export function serveNodeRegistry(
  { settings, store, tags, parts, logger }: AgentBase,
  { upstreams, metrics }: {
    readonly upstreams: readonly Upstream[];
    readonly metrics: RegistryMetrics;
  },
  signal: AbortSignal,
): Promise<void> {
  const handler = createRegistry({ store, upstreams, tags, logger, metrics });
  const address = splitAddress(settings["registry-address"]);
  const open = (signal: AbortSignal) => serveRegistry(handler, { ...address, signal });
  return keepListening(parts.registry, open, { logger, signal });
}

/** Serves status page and metrics until the signal aborts. */
export function serveStatusPage(
  { settings, store, verdicts, name, cluster, parts, logger }: AgentBase,
  counts: Pick<ReportSource, "registryMetrics" | "repairedBlobs" | "mendedObjects">,
  signal: AbortSignal,
): Promise<void> {
  const source = reportOf({
    ...{ store, verdicts, ...counts },
    nodeName: () => name.shown,
    parts: Object.values(parts),
    apiWrites: () => cluster.writes,
  });
  const address = splitAddress(settings["status-address"]);
  const open = (signal: AbortSignal) => serveStatus(source, { ...address, signal });
  return keepListening(parts.status, open, { logger, signal });
}
