import type { RegistryMetrics } from "../registry/mod.ts";
import type { Metric, NodeStatus, StatusSource } from "../status/mod.ts";
import { availableBytes, type Store } from "../store/mod.ts";
import type { Part } from "./listeners.ts";
import type { VerdictBook } from "./verdicts.ts";
import { VERSION } from "./version.ts";

/** What the status page is made from. */
export interface ReportSource {
  readonly nodeName: () => string;
  readonly parts: readonly Part[];
  readonly verdicts: VerdictBook;
  readonly store: Store;
  readonly registryMetrics: RegistryMetrics;
  readonly apiWrites: () => number;
  /** Blobs that were fetched again, by where they came from. */
  readonly repairedBlobs: () => Readonly<Record<string, number>>;
  /** Objects that slipped past the webhook and were rewritten later, by kind. */
  readonly mendedObjects: () => Readonly<Record<string, number>>;
}

/** Everything that the status room shows of this node. */
export function reportOf(source: ReportSource): StatusSource {
  return { status: () => statusOf(source), metrics: () => metricsOf(source) };
}

function statusOf(source: ReportSource): NodeStatus {
  return {
    node: source.nodeName(),
    version: VERSION,
    parts: source.parts.map(({ name, ok, message }) => ({ name, ok, message })),
    packages: source.verdicts.all(),
  };
}

function metricsOf(source: ReportSource): Metric[] {
  const { registryMetrics } = source;
  const memory = Deno.memoryUsage();
  return [
    gauge("holdfast_build_info", "Always 1; the version is a label.", [
      { labels: { version: VERSION }, value: 1 },
    ]),
    gauge(
      "holdfast_part_ok",
      "Whether a part of the agent does its work.",
      source.parts.map((part) => ({ labels: { part: part.name }, value: part.ok ? 1 : 0 })),
    ),
    gauge("holdfast_packages", "Dropped files by the phase of their verdict.", phaseCounts(source)),
    counter("holdfast_api_writes_total", "Writing requests sent to the API server.", [
      { value: source.apiWrites() },
    ]),
    counter(
      "holdfast_registry_requests_total",
      "Requests answered by the node registry.",
      Object.entries(registryMetrics.requests).flatMap(([route, codes]) =>
        Object.entries(codes).map(([code, value]) => ({ labels: { route, code }, value }))
      ),
    ),
    counter(
      "holdfast_registry_sent_bytes_total",
      "Bytes sent by the node registry, by source.",
      byLabel("source", registryMetrics.bytes),
    ),
    counter(
      "holdfast_registry_upstream_errors_total",
      "Failures of other registries, by name.",
      byLabel("upstream", registryMetrics.upstreamErrors),
    ),
    gauge("holdfast_registry_streams", "Blobs that are being sent now.", [
      { value: registryMetrics.activeStreams },
    ]),
    counter(
      "holdfast_admission_mended_total",
      "Objects that slipped past the webhook and were rewritten later, by kind.",
      byLabel("kind", source.mendedObjects()),
    ),
    ...storeMetrics(source),
    gauge("holdfast_resident_memory_bytes", "Resident memory of the agent.", [
      { value: memory.rss },
    ]),
  ];
}

function storeMetrics({ store, repairedBlobs }: ReportSource): Metric[] {
  const removed = store.collector.total;
  return [
    counter("holdfast_store_quarantined_blobs_total", "Bad blobs that were moved aside.", [
      { value: store.blobs.quarantined },
    ]),
    counter("holdfast_store_scrubbed_bytes_total", "Bytes of blobs that were hashed again.", [
      { value: store.scrubber.bytes },
    ]),
    counter(
      "holdfast_store_repaired_blobs_total",
      "Missing blobs that were fetched again, by source.",
      byLabel("source", repairedBlobs()),
    ),
    gauge("holdfast_store_missing_blobs", "Blobs that are needed and not there.", [
      { value: store.damage.blobs.length },
    ]),
    counter("holdfast_store_removed_packages_total", "Superseded packages that were given up.", [
      { value: removed.packages },
    ]),
    counter("holdfast_store_removed_blobs_total", "Blobs that nothing needed any more.", [
      { value: removed.blobs },
    ]),
    counter("holdfast_store_removed_bytes_total", "Bytes that removing them has freed.", [
      { value: removed.bytes },
    ]),
    gauge(
      "holdfast_store_free_bytes",
      "Bytes that packages may still take on the data disk.",
      freeBytes(store),
    ),
  ];
}

/** Nothing where the disk does not say; the other metrics matter all the more then. */
function freeBytes(store: Store): Metric["samples"] {
  try {
    return [{ value: availableBytes(store.disk()) }];
  } catch {
    return [];
  }
}

function phaseCounts({ verdicts }: ReportSource) {
  const counts = new Map<string, number>();
  for (const { phase } of verdicts.all()) counts.set(phase, (counts.get(phase) ?? 0) + 1);
  return [...counts].map(([phase, value]) => ({ labels: { phase }, value }));
}

function byLabel(label: string, counters: Readonly<Record<string, number>>): Metric["samples"] {
  return Object.entries(counters).map(([name, value]) => ({ labels: { [label]: name }, value }));
}

function gauge(name: string, help: string, samples: Metric["samples"]): Metric {
  return { name, help, type: "gauge", samples };
}

function counter(name: string, help: string, samples: Metric["samples"]): Metric {
  return { name, help, type: "counter", samples };
}
