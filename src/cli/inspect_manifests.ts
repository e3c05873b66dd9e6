import {
  ComponentRenderer,
  DeployError,
  GoTemplates,
  Helm,
  MAX_SETTINGS_FILE,
  readVariableFile,
  type RenderedPart,
  type ResolvedVariables,
  resolveVariables,
  siteValues,
  unsupported,
  type ValuesLayer,
  valuesOf,
} from "../deploy/mod.ts";
import type { ZarfComponent, ZarfPackage } from "../package/mod.ts";
import { exec } from "../std/mod.ts";
import { diskWriter } from "./disk_writer.ts";
import type { FileTaker } from "./discarding_sink.ts";
import { InspectError } from "./inspect_error.ts";
import { printAs } from "./output.ts";
import { type PackageReadOptions, readWholePackage } from "./package_read.ts";
import { withTemporaryDirectory } from "./temporary_directory.ts";

/** What of a package is rendered, and with what. */
export interface ManifestsOptions extends Omit<PackageReadOptions, "taker"> {
  /** YAML documents for people, or a list with their text for programs. */
  readonly format: "yaml" | "json";
  /** Names of components; none are all. */
  readonly components: readonly string[];
  /** Values of variables, by name; the package's defaults stand behind them. */
  readonly variables: Readonly<Record<string, string>>;
  /** Laid over the package's own values. */
  readonly values: readonly ValuesLayer[];
  /** Path of Helm, which fills in Go templates and renders charts. */
  readonly helm: string | undefined;
}

/** How charts are rendered; without Helm they are left out, and that is said. */
export interface ChartOptions {
  /** @default the one that Helm takes for the newest */
  readonly kubeVersion?: string;
}

/** A part with what it was made from. */
interface TypedPart extends RenderedPart {
  readonly type: "manifest" | "chart" | "valuesfile";
}

/**
 * Prints the objects of a package as they would be deployed: of each component the charts as Helm
 * renders them, then raw manifests and kustomizations (Zarf 0.84, src/cmd/package.go and
 * src/pkg/packager/inspect.go).
 *
 * @throws {InspectError} ChartsNotRendered, after everything else was printed; NoSuchComponent.
 * @throws {DeployError} when a chart or a variable's value is at fault.
 */
export async function inspectManifests(
  path: string,
  options: ManifestsOptions,
  { kubeVersion }: ChartOptions,
): Promise<void> {
  const { helm } = options;
  const left: string[] = [];
  await withComponents(path, options, async (renderers, workDir) => {
    const program = helm === undefined ? undefined : helmAt(helm, workDir);
    const parts: TypedPart[] = [];
    for (const { component, renderer } of renderers) {
      if (program === undefined) left.push(...component.charts.map(({ name }) => name));
      else {
        const charts = await renderer.charts(program, kubeVersion);
        parts.push(...charts.map((part) => ({ type: "chart" as const, ...part })));
      }
      const manifests = await renderer.manifests();
      parts.push(...manifests.map((part) => ({ type: "manifest" as const, ...part })));
    }
    print(parts, options);
  });
  if (left.length === 0) return;
  throw new InspectError({
    reason: "ChartsNotRendered",
    message: `these charts were not rendered, because there is no helm: ${left.join(", ")}`,
    kept: "all other manifests were printed",
    remedy: "give --tools-dir the directory that holds helm",
  });
}

/** Prints the values that each chart of a package would be given, later ones over earlier ones. */
export async function inspectValuesFiles(path: string, options: ManifestsOptions): Promise<void> {
  await withComponents(path, options, async (renderers) => {
    const parts: TypedPart[] = [];
    for (const { renderer } of renderers) {
      const values = await renderer.values();
      parts.push(...values.map((part) => ({ type: "valuesfile" as const, ...part })));
    }
    print(parts, options);
  });
}

/** Package values as the command line gives them. @throws {InspectError} ValuesUnreadable. */
export function givenValues(
  files: readonly string[],
  single: Readonly<Record<string, string>>,
): ValuesLayer[] {
  return siteValues(files.map(readValues), single);
}

/** A file with package values. @throws {InspectError} ValuesUnreadable. */
export function readValues(path: string): string {
  try {
    const { size } = Deno.statSync(path);
    if (size > MAX_SETTINGS_FILE) throw new RangeError(`it has ${size} bytes`);
    return new TextDecoder("utf-8", { fatal: true }).decode(Deno.readFileSync(path));
  } catch (cause) {
    throw new InspectError({
      reason: "ValuesUnreadable",
      message: `the values in ${path} cannot be read`,
      cause,
    });
  }
}

/** Helm in a directory of tools, if it is there. */
export function helmIn(directory: string | undefined): string | undefined {
  const helm = `${directory}/helm`;
  try {
    return directory !== undefined && Deno.statSync(helm).isFile ? helm : undefined;
  } catch {
    return undefined;
  }
}

interface ComponentToRender {
  readonly component: ZarfComponent;
  readonly renderer: ComponentRenderer;
}

async function withComponents(
  path: string,
  options: ManifestsOptions,
  action: (renderers: readonly ComponentToRender[], workDir: string) => Promise<void>,
): Promise<void> {
  await withTemporaryDirectory(async (directory) => {
    const { contents } = await readWholePackage(path, { ...options, taker: unpackInto(directory) });
    const { definition } = contents;
    const components = chosen(definition, options.components);
    const workDir = `${directory}/work`;
    Deno.mkdirSync(workDir);
    for (const feature of unsupported(definition, components, { git: true })) {
      options.terminal.err(`holdfast: warning: ${feature}; what comes of that is not shown\n`);
    }
    const variables = variablesOf(definition, options.variables);
    const { helm } = options;
    const renderOptions = {
      ...{ definition, directory, workDir, variables, components },
      values: valuesOf(directory, options.values),
      ...(helm === undefined ? {} : { templates: new GoTemplates({ exec, helm }) }),
    };
    const renderers = components.map((component) => ({
      component,
      renderer: new ComponentRenderer(component, renderOptions),
    }));
    await action(renderers, workDir);
  });
}

function variablesOf(
  definition: ZarfPackage,
  given: Readonly<Record<string, string>>,
): ResolvedVariables {
  try {
    return resolveVariables(definition, { given, readTextFile: readVariableFile });
  } catch (error) {
    if (!(error instanceof DeployError) || error.reason !== "VariableMissing") throw error;
    throw new InspectError({
      reason: "VariableMissing",
      message: error.message,
      remedy: "give it with --set-variables NAME=VALUE",
    });
  }
}

/** Keeps what a component's releases are made from; its files and repositories can be large. */
function unpackInto(directory: string): FileTaker {
  const wanted = (path: string) =>
    path === "values.yaml" || /^components\/[^/]+\/(charts|manifests|values)\//.test(path);
  return {
    file: (path) => wanted(path) ? diskWriter(`${directory}/${path}`) : undefined,
    symlink(path, target) {
      if (!wanted(path)) return;
      Deno.mkdirSync(`${directory}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      Deno.symlinkSync(target, `${directory}/${path}`);
    },
  };
}

function chosen(definition: ZarfPackage, names: readonly string[]): readonly ZarfComponent[] {
  if (names.length === 0) return definition.components;
  return names.map((name) => {
    const component = definition.components.find((one) => one.name === name);
    if (component !== undefined) return component;
    throw new InspectError({
      reason: "NoSuchComponent",
      message: `${definition.metadata.name} has no component ${JSON.stringify(name)}`,
      remedy: `the components are: ${definition.components.map((one) => one.name).join(", ")}`,
    });
  });
}

function helmAt(helm: string, workDir: string): Helm {
  return new Helm({
    exec,
    helm,
    home: `${workDir}/helm`,
    // Nothing is asked of a cluster, and nothing shall be by mistake.
    kubeconfig: `${workDir}/no-cluster`,
    postRenderer: { command: "false", args: [] },
  });
}

function print(parts: readonly TypedPart[], { format, terminal }: ManifestsOptions): void {
  if (format === "json") return printAs("json", parts, () => "", terminal);
  for (const part of parts) terminal.out(yamlOf(part));
}

/** One part as YAML documents with comments that say where it is from, as Zarf prints it. */
function yamlOf({ type, component, name, source, text }: TypedPart): string {
  const comments = [
    `#type: ${type}`,
    `#component: ${component}`,
    `#${type === "manifest" ? "manifest" : "chart"}: ${name}`,
    `#source: ${source}`,
  ];
  const head = comments.map((line) => `${line.replaceAll(/[\r\n]/g, " ")}\n`).join("");
  return `${head}${text}${text.endsWith("\n") ? "" : "\n"}---\n`;
}
