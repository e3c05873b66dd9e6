import { createHash } from "node:crypto";
import type { ZarfManifest } from "../package/mod.ts";

/** The chart that Zarf makes of a manifest entry, without its templates. */
export interface RawChartName {
  /** Of the chart: `raw-<package>-<component>-<manifest>`. */
  readonly chart: string;
  /** Of the release: `zarf-` and the sha1 of the chart's name in hex. */
  readonly release: string;
}

/**
 * The names under which the raw manifests of one entry are installed (Zarf 0.84,
 * src/internal/packager/helm/common.go ChartFromZarfManifest). They must be Zarf's, so that either
 * program upgrades and removes what the other one installed.
 */
export function rawChartName(
  packageName: string,
  componentName: string,
  manifestName: string,
): RawChartName {
  const chart = `raw-${packageName}-${componentName}-${manifestName}`;
  return { chart, release: `zarf-${createHash("sha1").update(chart).digest("hex")}` };
}

/** The file names of a manifest entry below the component's `manifests/`, in Zarf's order. */
export function manifestFiles(manifest: ZarfManifest): string[] {
  return [
    ...manifest.files.map((_, index) => `${manifest.name}-${index}.yaml`),
    ...manifest.kustomizations.map((_, index) => `kustomization-${manifest.name}-${index}.yaml`),
  ];
}

/**
 * Writes a chart whose templates are the given texts, taken literally. `directory` must not exist.
 *
 * @param version of the chart, a semantic version; Zarf's is `0.1.<seconds since 1970>`
 */
export function writeRawChart(
  directory: string,
  chart: string,
  version: string,
  texts: readonly string[],
): void {
  Deno.mkdirSync(`${directory}/templates`, { recursive: true, mode: 0o700 });
  const metadata = JSON.stringify({ apiVersion: "v2", name: chart, version });
  Deno.writeTextFileSync(`${directory}/Chart.yaml`, metadata);
  for (const [index, text] of texts.entries()) {
    // The files' own names are not used: Helm reads no objects from a name that begins with "_".
    Deno.writeTextFileSync(`${directory}/templates/manifest-${index}.yaml`, literal(text), {
      mode: 0o600,
    });
  }
}

/** A Go template that prints `text`: every JSON string is a Go string of the same meaning. */
function literal(text: string): string {
  return `{{${JSON.stringify(text)}}}`;
}
