import type { ZarfChart, ZarfManifest } from "../package/mod.ts";
import {
  chartId,
  type ComponentSource,
  manifestTexts,
  requireFilling,
  valuesTexts,
} from "./component_files.ts";
import { DeployError } from "./errors.ts";
import type { ChartValues } from "./go_template.ts";
import type { ReleaseOptions } from "./helm_arguments.ts";
import { rawChartName, writeRawChart } from "./raw_chart.ts";
import type { ResolvedVariables } from "./variables.ts";

/** One Helm release of a component, ready for Helm. */
export interface PlannedRelease extends
  Pick<
    ReleaseOptions,
    | "release"
    | "namespace"
    | "chart"
    | "valuesFiles"
    | "setFile"
    | "schemaValidation"
    | "serverSide"
  > {
  /** For people: the manifest entry's or the chart's name. */
  readonly title: string;
  readonly noWait: boolean;
  /** What a raw chart renders to; undefined for a real chart. */
  readonly literal?: string;
}

/** Something of a component that becomes a release. */
export interface ReleasePart {
  readonly kind: "chart" | "manifest";
  /** As in the package. */
  readonly name: string;
  readonly release: string;
  readonly namespace: string;
  readonly noWait: boolean;
  /** Makes it ready for Helm in a directory, which must be empty. */
  readonly plan: (directory: string) => Promise<PlannedRelease>;
}

/**
 * What of a component becomes a release, in the order of the deployment: charts, then manifests.
 *
 * @param version of the charts that are made of manifests
 */
export function releaseParts(source: ComponentSource, version: string): ReleasePart[] {
  const { charts, manifests } = source.component;
  return [
    ...charts.map((chart) => ({
      kind: "chart" as const,
      ...chartPlace(chart, source),
      plan: (directory: string) => planChart(chart, source, directory),
    })),
    ...manifests.map((manifest) => ({
      kind: "manifest" as const,
      ...manifestPlace(manifest, source),
      plan: (directory: string) => planManifest(manifest, source, directory, version),
    })),
  ];
}

function chartPlace(
  { name, releaseName, namespace, noWait }: ZarfChart,
  { component }: ComponentSource,
) {
  return {
    name,
    release: releaseName || name,
    namespace: namespace || "default",
    // Its pods may wait for data (Zarf 0.84, deploy.go installCharts; not so with manifests).
    noWait: noWait || component.dataInjections.length > 0,
  };
}

function manifestPlace({ name, namespace, noWait }: ZarfManifest, source: ComponentSource) {
  const { release } = rawChartName(source.packageName, source.component.name, name);
  return { name, release, namespace: namespace || "default", noWait };
}

/** Writes what Helm needs for a chart of the package into `directory`, which must be empty. */
export async function planChart(
  chart: ZarfChart,
  source: ComponentSource,
  directory: string,
): Promise<PlannedRelease> {
  const texts = await valuesTexts(chart, source);
  const valuesFiles = texts.map((text, index) =>
    writePrivate(`${directory}/values-${index}.yaml`, text)
  );
  const overrides = await overridesOf(chart, source);
  // As a file and not with --set: a value may be a password.
  if (overrides.json !== "{}") {
    valuesFiles.push(writePrivate(`${directory}/overrides.yaml`, overrides.json));
  }
  const { name: title, ...place } = chartPlace(chart, source);
  return {
    ...{ title, ...place },
    chart: `${source.directory}/charts/${chartId(chart)}.tgz`,
    valuesFiles,
    ...(overrides.set.length === 0
      ? {}
      : { setFile: writePrivate(`${directory}/set.json`, JSON.stringify(overrides.set)) }),
    schemaValidation: chart.schemaValidation,
    serverSide: chart.serverSideApply || "auto",
  };
}

async function overridesOf(chart: ZarfChart, source: ComponentSource): Promise<ChartValues> {
  const base = chartOverrides(chart, source.variables);
  if (chart.values.length === 0) return { json: JSON.stringify(base), set: [] };
  const { templates, objects } = requireFilling(source);
  return await templates.chart(base, chart.values, objects.values);
}

/** Makes a chart of a manifest entry in `directory`, which must be empty. */
export async function planManifest(
  manifest: ZarfManifest,
  source: ComponentSource,
  directory: string,
  version: string,
): Promise<PlannedRelease> {
  const names = rawChartName(source.packageName, source.component.name, manifest.name);
  const { name: title, ...place } = manifestPlace(manifest, source);
  const texts = (await manifestTexts(manifest, source)).map(({ text }) => text);
  const chart = `${directory}/chart`;
  writeRawChart(chart, names.chart, version, texts);
  return {
    ...{ title, ...place },
    chart,
    valuesFiles: [],
    schemaValidation: true,
    serverSide: manifest.serverSideApply || "auto",
    literal: texts.join("\n---\n"),
  };
}

/**
 * The values that a chart's `variables` set: each variable that has a value, as a string, at its
 * dotted path (Zarf 0.84, src/pkg/packager/deploy.go generateValuesOverrides).
 */
export function chartOverrides(
  chart: Pick<ZarfChart, "name" | "variables">,
  variables: ResolvedVariables,
): Record<string, unknown> {
  const overrides: Record<string, unknown> = {};
  for (const { name, path } of chart.variables) {
    const variable = variables.get(name.toUpperCase());
    if (variable === undefined) continue;
    const keys = path.replace(/^\./, "").split(".");
    const last = keys.pop() ?? "";
    const parent = keys.reduce((at, key) => descend(at, key, chart.name, path), overrides);
    parent[last] = variable.given ?? variable.value;
  }
  return overrides;
}

function descend(
  parent: Record<string, unknown>,
  key: string,
  chart: string,
  path: string,
): Record<string, unknown> {
  const found = Object.hasOwn(parent, key) ? parent[key] : undefined;
  if (found === undefined) {
    const made: Record<string, unknown> = {};
    parent[key] = made;
    return made;
  }
  if (typeof found === "object" && found !== null) return found as Record<string, unknown>;
  throw new DeployError({
    reason: "PackageBroken",
    message: `chart "${chart}": the path ${path} of a variable goes through another one's value`,
    kept: "the chart was not touched",
  });
}

function writePrivate(file: string, text: string): string {
  Deno.writeTextFileSync(file, text, { mode: 0o600 });
  return file;
}
