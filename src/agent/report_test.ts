import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { createRegistryMetrics } from "../registry/mod.ts";
import { renderMetrics } from "../status/mod.ts";
import { Store } from "../store/mod.ts";
import { Part } from "./listeners.ts";
import { reportOf, type ReportSource } from "./report.ts";
import { VerdictBook } from "./verdicts.ts";
import { VERSION } from "./version.ts";

function reported(
  action: (source: ReportSource, metrics: () => string[]) => void,
): Promise<void> {
  return withDirectory((dir) => {
    using store = Store.open(dir);
    const source: ReportSource = {
      nodeName: () => "node-1",
      parts: [new Part("node registry", "listens", true), new Part("cluster", "no answer")],
      verdicts: new VerdictBook(store, () => "node-1"),
      store,
      registryMetrics: createRegistryMetrics(),
      apiWrites: () => 42,
      repairedBlobs: () => ({ cluster: 2 }),
      mendedObjects: () => ({ Pod: 3 }),
    };
    action(source, () => renderMetrics(reportOf(source).metrics()).trim().split("\n"));
  });
}

const dropped = (path: string) => ({ path, size: 1, mtimeNs: 1n, inode: 1n });

Deno.test("the status is that of the node, its parts and its files, as they are when asked", () =>
  reported((source) => {
    const report = reportOf(source);
    assert.deepEqual(report.status(), {
      node: "node-1",
      version: VERSION,
      parts: [
        { name: "node registry", ok: true, message: "listens" },
        { name: "cluster", ok: false, message: "no answer" },
      ],
      packages: [],
    });
    source.parts[1]?.set(true, "it answers");
    const outcome = { phase: "Rejected", reason: "Corrupt", message: "damaged" } as const;
    source.verdicts.note({ ...dropped("/drop/a.tar"), outcome });
    assert.equal(report.status().parts[1]?.ok, true);
    assert.deepEqual(report.status().packages.map(({ phase }) => phase), ["Rejected"]);
  }));

Deno.test("every metric has our prefix, a base unit where it has one, and a help text", () =>
  reported((_, metrics) => {
    const named = metrics().filter((line) => !line.startsWith("#"));
    assert(named.length > 5);
    for (const line of named) {
      assert.match(line, /^holdfast_[a-z_]+(\{[^}]*\})? [0-9.e+]+$/);
      const [name] = line.split(/[{ ]/);
      const described = metrics().filter((one) => one.startsWith(`# HELP ${name} `));
      assert.equal(described.length, 1, name);
      assert(
        metrics().includes(`# TYPE ${name} ${name?.endsWith("_total") ? "counter" : "gauge"}`),
      );
    }
  }));

Deno.test("parts, packages, requests and writes are counted", () =>
  reported((source, metrics) => {
    const outcome = { phase: "Rejected", reason: "Corrupt", message: "damaged" } as const;
    for (const path of ["/a.tar", "/b.tar"]) source.verdicts.note({ ...dropped(path), outcome });
    const { registryMetrics } = source;
    registryMetrics.requests.blobs = { "200": 3, "404": 1 };
    registryMetrics.bytes.store = 1_000;
    registryMetrics.upstreamErrors.cluster = 2;
    registryMetrics.activeStreams = 5;
    const lines = metrics();
    for (
      const line of [
        `holdfast_build_info{version="${VERSION}"} 1`,
        'holdfast_part_ok{part="node registry"} 1',
        'holdfast_part_ok{part="cluster"} 0',
        'holdfast_packages{phase="Rejected"} 2',
        "holdfast_api_writes_total 42",
        'holdfast_registry_requests_total{route="blobs",code="200"} 3',
        'holdfast_registry_requests_total{route="blobs",code="404"} 1',
        'holdfast_registry_sent_bytes_total{source="store"} 1000',
        'holdfast_registry_upstream_errors_total{upstream="cluster"} 2',
        "holdfast_registry_streams 5",
        "holdfast_store_quarantined_blobs_total 0",
        "holdfast_store_scrubbed_bytes_total 0",
        'holdfast_store_repaired_blobs_total{source="cluster"} 2',
        'holdfast_admission_mended_total{kind="Pod"} 3',
        "holdfast_store_missing_blobs 0",
        "holdfast_store_removed_packages_total 0",
        "holdfast_store_removed_blobs_total 0",
        "holdfast_store_removed_bytes_total 0",
      ]
    ) assert(lines.includes(line), line);
    const rss = lines.find((line) => line.startsWith("holdfast_resident_memory_bytes "));
    assert(Number(rss?.split(" ")[1]) > 10_000_000);
    const free = lines.find((line) => line.startsWith("holdfast_store_free_bytes "));
    assert(Number(free?.split(" ")[1]) > 0);
  }));
