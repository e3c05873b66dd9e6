import * as v from "valibot";
import {
  CONNECT_DESCRIPTION_ANNOTATION,
  CONNECT_NAME_LABEL,
  CONNECT_URL_ANNOTATION,
  type ConnectStrings,
  PACKAGE_LABEL,
} from "../zarf/mod.ts";
import { applyTemplates, type Templates } from "./template.ts";
import {
  entryOf,
  expandAliases,
  mappingAt,
  type MappingNode,
  parseDocuments,
  printDocument,
  readObjects,
  removeEntry,
  scalarAt,
  setString,
} from "./yaml.ts";
import type { Manifest } from "./yaml.ts";

/** What the post-renderer needs to know of the package. */
export interface PostRenderOptions {
  readonly packageName: string;
  readonly templates: Templates;
}

/** What comes out of a chart: what Helm applies, and what is applied for it. */
export interface PostRendered {
  /** The manifests for Helm. Never empty: Helm takes an empty answer for a failure. */
  readonly yaml: string;
  /** Every object in {@linkcode yaml} that is not a hook. */
  readonly objects: readonly Manifest[];
  /** Namespace objects of the chart, which Helm must not own. */
  readonly namespaces: readonly Manifest[];
  /** What `zarf connect` can offer. */
  readonly connectStrings: ConnectStrings;
  /** Whether a hook runs when all objects were installed or upgraded. */
  readonly hasLateHooks: boolean;
}

/**
 * The annotation by which Helm 4's command line finds the file of each document again. It names a
 * path of the deploying machine, so it stays on what goes back to Helm only.
 */
export const FILE_ANNOTATION = "postrenderer.helm.sh/postrender-filename";
/** By which an object is a hook of Helm's. */
export const HOOK_ANNOTATION = "helm.sh/hook";
/** What Helm does not take for a failure. */
const NOTHING = "# nothing is left for Helm to apply\n";
const LATE_HOOK = /(^|,)\s*post-(install|upgrade)\s*(,|$)/;

/**
 * Zarf's changes to a rendered chart (Zarf 0.84, src/internal/packager/helm/post-render.go): the
 * templates are filled in a second time; every object that is not a hook, and its pod template if
 * that has labels, gets the package's label; Namespace objects are taken out, because Helm would
 * delete them with everything in them.
 *
 * @throws {Error} when the YAML cannot be read.
 */
export function postRender(rendered: string, options: PostRenderOptions): PostRendered {
  const text = applyTemplates(rendered, options.templates);
  const output: string[] = [];
  const ours: string[] = [];
  const namespaces: Manifest[] = [];
  let hasLateHooks = false;
  for (const document of parseDocuments(text)) {
    expandAliases(document);
    const root = document.contents;
    if (root?.kind !== "mapping" || root.items.length === 0) continue;
    const hook = scalarAt(root, "metadata", "annotations", HOOK_ANNOTATION);
    if (hook !== undefined) {
      hasLateHooks ||= LATE_HOOK.test(hook);
      output.push(printDocument(document));
      continue;
    }
    addLabels(root, options.packageName);
    if (isNamespace(root)) {
      const annotations = entryOf(entryOf(root, "metadata"), "annotations");
      if (annotations?.kind === "mapping") removeEntry(annotations, FILE_ANNOTATION);
      namespaces.push(...readObjects(printDocument(document)));
      continue;
    }
    const printed = printDocument(document);
    output.push(printed);
    ours.push(printed);
  }
  const objects = readObjects(ours.join(""));
  return {
    yaml: output.length === 0 ? NOTHING : output.join(""),
    objects,
    namespaces,
    connectStrings: connectStringsOf(objects),
    hasLateHooks,
  };
}

function isNamespace(root: MappingNode): boolean {
  return scalarAt(root, "kind") === "Namespace" && scalarAt(root, "apiVersion") === "v1";
}

function addLabels(root: MappingNode, packageName: string): void {
  setString(mappingAt(mappingAt(root, "metadata"), "labels"), PACKAGE_LABEL, packageName);
  const template = entryOf(entryOf(entryOf(root, "spec"), "template"), "metadata");
  const labels = entryOf(template, "labels");
  if (labels?.kind === "mapping") setString(labels, PACKAGE_LABEL, packageName);
}

function connectStringsOf(objects: readonly Manifest[]): ConnectStrings {
  const strings: ConnectStrings = {};
  for (const { kind, metadata } of objects) {
    const name = metadata.labels?.[CONNECT_NAME_LABEL];
    if (kind !== "Service" || typeof name !== "string") continue;
    strings[name] = {
      description: String(metadata.annotations?.[CONNECT_DESCRIPTION_ANNOTATION] ?? ""),
      url: String(metadata.annotations?.[CONNECT_URL_ANNOTATION] ?? ""),
    };
  }
  return strings;
}

/** The environment variable with the path of the settings; Helm passes its own environment on. */
export const POST_RENDER_SETTINGS = "HOLDFAST_POST_RENDER";
/** The environment variable with the path of a file for what Helm rendered, if only that is wanted. */
export const POST_RENDER_COPY = "HOLDFAST_POST_RENDER_COPY";

const SettingsSchema = v.object({
  packageName: v.string(),
  templates: v.array(
    v.tuple([v.string(), v.object({ value: v.string(), autoIndent: v.optional(v.boolean()) })]),
  ),
});

/** The settings file's text. It may hold passwords: the file must be readable by its owner only. */
export function serializeSettings(options: PostRenderOptions): string {
  const templates = [...options.templates].map(([key, { value, autoIndent }]) =>
    [key, { value, autoIndent: autoIndent === true }] as const
  );
  return JSON.stringify({ packageName: options.packageName, templates });
}

/**
 * What the hidden command `holdfast post-render` does between Helm's output and Helm's input. Helm
 * keeps a plugin's error text to itself, so a failure is also written beside the settings, as
 * `<settings>.error`.
 *
 * @param stdin what Helm rendered
 * @param env the process's environment, with {@linkcode POST_RENDER_SETTINGS} or, where nothing is to
 * be applied, {@linkcode POST_RENDER_COPY}
 * @returns what Helm shall apply
 * @throws {Error} with the reason; the command must then end with a code that is not 0.
 */
export function runPostRenderer(
  stdin: string,
  env: Readonly<Record<string, string | undefined>>,
): string {
  const copy = env[POST_RENDER_COPY];
  if (copy !== undefined) {
    Deno.writeTextFileSync(copy, stdin, { mode: 0o600 });
    return NOTHING;
  }
  const path = env[POST_RENDER_SETTINGS];
  if (path === undefined) throw new Error(`${POST_RENDER_SETTINGS} is not set`);
  try {
    const settings = v.parse(SettingsSchema, JSON.parse(Deno.readTextFileSync(path)));
    const templates = new Map(
      settings.templates.map((
        [key, { value, autoIndent }],
      ) => [key, { value, autoIndent: autoIndent === true }]),
    );
    return postRender(stdin, { packageName: settings.packageName, templates }).yaml;
  } catch (error) {
    Deno.writeTextFileSync(`${path}.error`, error instanceof Error ? error.message : "unknown");
    throw error;
  }
}
