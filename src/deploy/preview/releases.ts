import type { ZarfComponent } from "../../package/mod.ts";
import { systemClock } from "../../std/mod.ts";
import type { ZarfState } from "../../zarf/mod.ts";
import type { ComponentSource } from "../component_files.ts";
import { helmOf } from "../component_releases.ts";
import { DEFAULT_TIMEOUT, type DeployContext } from "../context.ts";
import { DeployError } from "../errors.ts";
import { type Helm, type ReleaseOptions, withPrivateDirectory } from "../helm.ts";
import type { HelmPreview } from "../helm_preview.ts";
import { renderRelease, writeSettings } from "../render_release.ts";
import { missingOf, namespacesOf } from "../namespaces.ts";
import { type PlannedRelease, type ReleasePart, releaseParts } from "../plan.ts";
import type { PostRendered } from "../post_render.ts";
import { redactor } from "../redact.ts";
import type { Scope } from "../scope.ts";
import { STEPS } from "../steps.ts";
import { kindMadeBy, type PlannedObject, plannedObjects } from "./objects.ts";
import { releaseHistory } from "../release.ts";
import { findRemovedApis } from "../removed_apis.ts";
import type { PlannedReleaseStep, Refusal } from "./plan.ts";
import { podImages } from "./pod_images.ts";
import type { Unknown } from "./unknown.ts";

/** Of the charts that are made of manifests: the real one says when, and changes no object. */
const VERSION = "0.1.0";
/** Between two renderings of a chart, so that a time in it is another one, in milliseconds. */
const ANOTHER_TIME = 1_100;

/** An image that pods of the package would run. */
export interface PodImage {
  readonly image: string;
  /** `component "web": Deployment web` */
  readonly where: string;
}

/** What {@linkcode ReleasesPreview} works with. */
export interface ReleasesPreviewOptions {
  readonly context: DeployContext;
  readonly state: ZarfState;
  readonly packageName: string;
  readonly scope: Scope;
  readonly unknown: Unknown;
  readonly sourceOf: (component: ZarfComponent) => ComponentSource;
}

/** Finds out what would become of a package's releases, one after the other. */
export class ReleasesPreview {
  /** What would fail, in the order in which it was found. */
  readonly refused: Refusal[] = [];
  readonly images: PodImage[] = [];
  readonly #options: ReleasesPreviewOptions;
  readonly #helm: Helm;
  /** What comes before a release: it is made once. */
  readonly #made = new Set<string>();
  readonly #kinds = new Set<string>();

  constructor(options: ReleasesPreviewOptions) {
    this.#options = options;
    this.#helm = helmOf(options.context);
  }

  /** The releases of a component, with what is set by now. */
  async of(component: ZarfComponent): Promise<PlannedReleaseStep[]> {
    const { context, sourceOf } = this.#options;
    const steps: PlannedReleaseStep[] = [];
    for (const part of releaseParts(sourceOf(component), VERSION)) {
      const step = await withPrivateDirectory(
        `${context.dataDir}/tmp`,
        (directory) => this.#step(component, part, directory),
      );
      steps.push(step);
    }
    return steps;
  }

  async #step(
    component: ZarfComponent,
    part: ReleasePart,
    directory: string,
  ): Promise<PlannedReleaseStep> {
    const { context, unknown } = this.#options;
    const base: PlannedReleaseStep = {
      kind: "release",
      step: STEPS.release(component.name, part.namespace, part.release),
      from: part.kind,
      title: part.name,
      release: part.release,
      namespace: part.namespace,
      action: "unknown",
      namespaces: [],
      secrets: [],
      waits: !part.noWait,
      objects: [],
    };
    try {
      return { ...base, ...await this.#release(component, await part.plan(directory), directory) };
    } catch (error) {
      if (!(error instanceof DeployError) || context.signal?.aborted) throw error;
      const message = this.#redact(error.message);
      // What cannot be rendered now may be rendered with what actions set.
      if (unknown.all.length > 0) {
        return { ...base, reason: `${waitsFor(unknown.all)}; now: ${message}` };
      }
      this.#refuse(error.reason, component, message);
      return { ...base, reason: message };
    }
  }

  async #release(
    component: ZarfComponent,
    planned: PlannedRelease,
    directory: string,
  ): Promise<Partial<PlannedReleaseStep>> {
    const { packageName, scope, context, unknown } = this.#options;
    const { templates } = scope;
    const { kubeVersion, timeout = DEFAULT_TIMEOUT } = context;
    const settings = writeSettings(directory, { packageName, templates });
    const options = { ...planned, settings, timeout };
    const rendered = await renderRelease(planned, options, {
      ...{ helm: this.#helm, packageName, templates },
      ...(kubeVersion === undefined ? {} : { kubeVersion }),
    });
    for (const { kind, metadata, ...rest } of rendered.objects) {
      const where = `component "${component.name}": ${kind} ${metadata.name}`;
      const images = podImages({ kind, metadata, ...rest });
      this.images.push(...images.map((image) => ({ image, where })));
    }
    const before = await this.#before(rendered, planned.namespace);
    const needed = unknown.in(rendered.yaml);
    if (needed.length > 0) return { ...before, reason: waitsFor(needed) };
    const older = await this.#olderRelease(planned);
    if (older !== undefined) return { ...before, ...older };
    const [preview, again] = await this.#ask(planned, options);
    return { ...before, ...this.#outcome(component, planned, preview, again) };
  }

  /** What Helm cannot compare before the release's own record was written anew. */
  async #olderRelease(
    { namespace, release }: PlannedRelease,
  ): Promise<Partial<PlannedReleaseStep> | undefined> {
    const { kube } = this.#options.context;
    const history = await releaseHistory(kube, namespace, release);
    const found = await findRemovedApis(kube, namespace, history);
    if (found === undefined) return undefined;
    const { revision: { revision }, moved } = found;
    const reason = "what it has now was made with API versions that the cluster does not serve " +
      `any more (${moved.join(", ")}); this is mended in its record first`;
    return { action: "upgrade", revision, reason };
  }

  /** Namespaces and pull secrets, as they are made before a release. */
  async #before(rendered: PostRendered, releaseNamespace: string) {
    const { context: { kube, registryService, pullSecrets }, state } = this.#options;
    const made = { namespaces: [] as string[], secrets: [] as string[] };
    const once = (list: string[], name: string) => {
      if (!this.#made.has(name)) list.push(name);
      this.#made.add(name);
    };
    for (const [name, manifest] of namespacesOf(rendered, releaseNamespace)) {
      const { namespace, secrets } = await missingOf(name, manifest, {
        ...{ kube, state },
        ...(registryService === undefined ? {} : { registryService }),
        ...(pullSecrets === undefined ? {} : { pullSecrets }),
      });
      if (namespace !== undefined) once(made.namespaces, name);
      for (const { metadata } of secrets) once(made.secrets, `${name}/${metadata.name}`);
    }
    return made;
  }

  async #ask(
    { literal }: PlannedRelease,
    options: ReleaseOptions,
  ): Promise<[HelmPreview, HelmPreview | undefined]> {
    const first = await this.#helm.preview(options);
    // Manifests are taken as they are; a chart may make something up.
    if (literal !== undefined) return [first, undefined];
    const { clock = systemClock, signal } = this.#options.context;
    await clock.sleep(ANOTHER_TIME, signal);
    return [first, await this.#helm.preview(options)];
  }

  #outcome(
    component: ZarfComponent,
    { release, namespace }: PlannedRelease,
    { action, revision, pending, objects: found, error }: HelmPreview,
    again: HelmPreview | undefined,
  ): Partial<PlannedReleaseStep> {
    for (const { target } of found.filter(({ role }) => role === "crd")) this.#comes(target);
    const objects = plannedObjects(found, again?.objects, {
      redact: (text) => this.#redact(text),
      isComing: (kind) => this.#kinds.has(kind) || this.#options.unknown.afterCommands,
    });
    for (const { target } of found) this.#comes(target);
    for (const object of objects) {
      if (object.outcome !== "refused") continue;
      this.#refuse("ChartFailed", component, `${titleOf(object)}: ${object.reason}`);
    }
    const why = error === undefined ? undefined : this.#redact(error);
    if (why !== undefined) {
      const where = `release ${release} in namespace ${namespace}`;
      this.#refuse("ChartFailed", component, `${where}: ${why}`);
    }
    const isUnchanged = why === undefined && action === "upgrade" &&
      objects.every(({ outcome }) => outcome === "unchanged");
    return {
      action: isUnchanged ? "unchanged" : action || "unknown",
      ...(why === undefined ? {} : { reason: why }),
      ...(revision === 0 ? {} : { revision }),
      ...(pending.length === 0 ? {} : { forgotten: pending }),
      objects,
    };
  }

  #comes(object: unknown): void {
    const kind = kindMadeBy(object);
    if (kind !== undefined) this.#kinds.add(kind);
  }

  #refuse(reason: Refusal["reason"], { name }: ZarfComponent, message: string): void {
    this.refused.push({ reason, message: `component "${name}": ${message}` });
  }

  #redact(text: string): string {
    return redactor(this.#options.scope.secrets())(text);
  }
}

function waitsFor(names: readonly string[]): string {
  return `it is known when actions have set ${names.join(", ")}`;
}

/** `Deployment web in shop` */
export function titleOf({ kind, name, namespace }: PlannedObject): string {
  return `${kind} ${name}${namespace === undefined ? "" : ` in ${namespace}`}`;
}
