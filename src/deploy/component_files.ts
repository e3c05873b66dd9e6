import type { ZarfChart, ZarfComponent, ZarfFile, ZarfManifest } from "../package/mod.ts";
import { DeployError } from "./errors.ts";
import { manifestFiles } from "./raw_chart.ts";
import { applyTemplates, type Templates } from "./template.ts";
import type { Filling } from "./template_objects.ts";
import type { ResolvedVariables } from "./variables.ts";
import { isOwnDirectory } from "../std/mod.ts";

/** The longest manifest or values file, in bytes; etcd takes no object larger than 1.5 MiB. */
const MAX_TEXT = 32 << 20;

/** Where a component's files are and what they are filled with. */
export interface ComponentSource {
  readonly packageName: string;
  readonly component: ZarfComponent;
  /** `DATA/packages/<digest>/components/<name>` */
  readonly directory: string;
  readonly templates: Templates;
  readonly variables: ResolvedVariables;
  /** For Go templates and package values; a component that has neither does without. */
  readonly filling?: Filling;
}

/** What a chart's files in a package are called by. */
export function chartId({ name, version }: ZarfChart): string {
  return version === "" ? name : `${name}-${version}`;
}

/** A file of a manifest entry, filled in. */
export interface ManifestText {
  /** Its name below the component's `manifests/`. */
  readonly file: string;
  readonly text: string;
}

/**
 * The files of a manifest entry in Zarf's order, filled in.
 *
 * @throws {DeployError} `PackageBroken`, `TemplateFailed`.
 */
export async function manifestTexts(
  manifest: ZarfManifest,
  source: ComponentSource,
): Promise<ManifestText[]> {
  const files = manifestFiles(manifest);
  const texts = await filledIn(filesOf(manifest), source);
  return files.map((file, index) => ({ file, text: texts[index] ?? "" }));
}

/** A file of a component below its directory, and whether it is a Go template. */
interface FilledFile {
  readonly path: string;
  readonly template: boolean;
  /** For people: what it belongs to. */
  readonly what: string;
}

/** What is built from kustomizations is no template (Zarf 0.84, deploy.go installManifests). */
function filesOf(manifest: ZarfManifest): FilledFile[] {
  return manifestFiles(manifest).map((file, index) => ({
    path: `manifests/${file}`,
    template: manifest.template && index < manifest.files.length,
    what: `manifest "${manifest.name}"`,
  }));
}

/** A file or a whole directory (Zarf 0.84, layout.go ComponentFileRelPath). */
function placedFilesOf(file: ZarfFile, index: number, directory: string): FilledFile[] {
  const base = file.target.replace(/\/+$/, "").split("/").at(-1) ?? "";
  return filesBelow(directory, `files/${index}/${base}`).map((path) => ({
    path,
    template: file.template,
    what: `file "${file.target}"`,
  }));
}

function filesBelow(directory: string, path: string): string[] {
  if (!isOwnDirectory(`${directory}/${path}`)) return [path];
  return [...Deno.readDirSync(`${directory}/${path}`)].map(({ name }) => name).sort()
    .flatMap((name) => filesBelow(directory, `${path}/${name}`));
}

/** Those that are templates come last (Zarf 0.84, helm/common.go GetChartValuesFiles). */
function valuesFilesOf(chart: ZarfChart): FilledFile[] {
  return [...chart.valuesFiles, ...chart.templatedValuesFiles].map((_, index) => ({
    path: `values/${chartId(chart)}-${index}`,
    template: index >= chart.valuesFiles.length,
    what: `chart "${chart.name}"`,
  }));
}

/**
 * The values files of a chart in Helm's order, filled in.
 *
 * @throws {DeployError} `PackageBroken`, `TemplateFailed`.
 */
export function valuesTexts(chart: ZarfChart, source: ComponentSource): Promise<string[]> {
  return filledIn(valuesFilesOf(chart), source);
}

/** Reads files of a component; first `###ZARF_…###` is put in, then Go templates are filled in. */
async function filledIn(files: readonly FilledFile[], source: ComponentSource): Promise<string[]> {
  const texts = files.map(({ path }) => applyTemplates(readText(source, path), source.templates));
  const templated = files.flatMap(({ template, path }, index) =>
    template ? [{ index, name: path, text: texts[index] ?? "" }] : []
  );
  if (templated.length === 0) return texts;
  const { templates, objects } = requireFilling(source);
  const results = await templates.render(
    templated.map(({ name, text }) => ({ name, text })),
    objects,
  );
  for (const [at, { index }] of templated.entries()) texts[index] = results[at] ?? "";
  return texts;
}

/** @throws {DeployError} `TemplateFailed` where there is no program for it. */
export function requireFilling({ filling, component }: ComponentSource): Filling {
  if (filling !== undefined) return filling;
  throw new DeployError({
    reason: "TemplateFailed",
    message: `component "${component.name}" has Go templates or package values, ` +
      "and there is no program that fills them in",
    remedy: "give --tools-dir the directory that holds helm",
  });
}

/** A Go template of a component, as it stands in the package. */
export interface TemplatedText {
  /** For people: what it belongs to. */
  readonly what: string;
  readonly text: string;
}

/**
 * The Go templates among a component's manifests, files and values files (Zarf 0.84,
 * src/pkg/packager/values_preflight.go componentFileSources).
 *
 * @param directory `…/components/<name>`
 * @throws {DeployError} `PackageBroken`.
 */
export function templatedTexts(component: ZarfComponent, directory: string): TemplatedText[] {
  const at = { component, directory };
  const files = [
    ...component.manifests.flatMap(filesOf),
    ...component.files.flatMap((file, index) => placedFilesOf(file, index, directory)),
    ...component.charts.flatMap(valuesFilesOf),
  ];
  return files.filter(({ template }) => template).map(({ path, what }) => ({
    what,
    text: readText(at, path),
  }));
}

function readText(
  source: Pick<ComponentSource, "component" | "directory">,
  path: string,
): string {
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
