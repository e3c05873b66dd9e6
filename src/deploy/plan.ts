import type { ZarfChart, ZarfComponent, ZarfManifest } from "../package/mod.ts";
import { DeployError } from "./errors.ts";
import { manifestFiles, rawChartName, writeRawChart } from "./raw_chart.ts";
import { applyTemplates, type Templates } from "./template.ts";
import type { ResolvedVariables } from "./variables.ts";

/** Where a component's files are and what they are filled with. */
export interface ComponentSource {
  readonly packageName: string;
  readonly component: ZarfComponent;
  /** `DATA/packages/<digest>/components/<name>` */
  readonly directory: string;
  readonly templates: Templates;
  readonly variables: ResolvedVariables;
}

/** One Helm release of a component, ready for Helm. */
export interface PlannedRelease {
  /** For people: the manifest entry's or the chart's name. */
  readonly title: string;
  readonly release: string;
  readonly namespace: string;
  readonly chart: string;
  readonly valuesFiles: readonly string[];
  readonly noWait: boolean;
  readonly schemaValidation: boolean;
  readonly serverSide: "true" | "false" | "auto";
  /** What a raw chart renders to; undefined for a real chart. */
  readonly literal?: string;
}

/** The longest manifest or values file, in bytes; etcd takes no object larger than 1.5 MiB. */
const MAX_TEXT = 32 << 20;

/** Writes what Helm needs for a chart of the package into `directory`, which must be empty. */
export function planChart(
  chart: ZarfChart,
  source: ComponentSource,
  directory: string,
): PlannedRelease {
  const id = chart.version === "" ? chart.name : `${chart.name}-${chart.version}`;
  const valuesFiles = chart.valuesFiles.map((_, index) => {
    const text = applyTemplates(readText(source, `values/${id}-${index}`), source.templates);
    return writePrivate(`${directory}/values-${index}.yaml`, text);
  });
  const overrides = chartOverrides(chart, source.variables);
  if (Object.keys(overrides).length > 0) {
    // As a file and not with --set: a variable may hold a password.
    valuesFiles.push(writePrivate(`${directory}/overrides.yaml`, JSON.stringify(overrides)));
  }
  return {
    title: chart.name,
    release: chart.releaseName || chart.name,
    namespace: chart.namespace || "default",
    chart: `${source.directory}/charts/${id}.tgz`,
    valuesFiles,
    noWait: chart.noWait,
    schemaValidation: chart.schemaValidation,
    serverSide: chart.serverSideApply || "auto",
  };
}

/** Makes a chart of a manifest entry in `directory`, which must be empty. */
export function planManifest(
  manifest: ZarfManifest,
  source: ComponentSource,
  directory: string,
  version: string,
): PlannedRelease {
  const names = rawChartName(source.packageName, source.component.name, manifest.name);
  const texts = manifestTexts(manifest, source).map(({ text }) => text);
  const chart = `${directory}/chart`;
  writeRawChart(chart, names.chart, version, texts);
  return {
    title: manifest.name,
    release: names.release,
    namespace: manifest.namespace || "default",
    chart,
    valuesFiles: [],
    noWait: manifest.noWait,
    schemaValidation: true,
    serverSide: manifest.serverSideApply || "auto",
    literal: texts.join("\n---\n"),
  };
}

/** A file of a manifest entry, filled in. */
export interface ManifestText {
  /** Its name below the component's `manifests/`. */
  readonly file: string;
  readonly text: string;
}

/** The files of a manifest entry in Zarf's order, filled in. */
export function manifestTexts(manifest: ZarfManifest, source: ComponentSource): ManifestText[] {
  return manifestFiles(manifest).map((file) => ({
    file,
    text: applyTemplates(readText(source, `manifests/${file}`), source.templates),
  }));
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
    parent[last] = variable.value;
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

function readText(source: ComponentSource, path: string): string {
  const file = `${source.directory}/${path}`;
  try {
    const { size } = Deno.statSync(file);
    if (size > MAX_TEXT) throw new RangeError(`it has ${size} bytes, the limit is ${MAX_TEXT}`);
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(file));
  } catch (cause) {
    throw new DeployError({
      reason: "PackageBroken",
      message: `component "${source.component.name}": ${path} cannot be read`,
      kept: "this part of the component was not touched",
      remedy: "drop the package file again",
      cause,
    });
  }
}

function writePrivate(file: string, text: string): string {
  Deno.writeTextFileSync(file, text, { mode: 0o600 });
  return file;
}
