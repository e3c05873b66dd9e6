import { DeployError } from "./errors.ts";
import type { Helm, ReleaseOptions } from "./helm.ts";
import type { PlannedRelease } from "./plan.ts";
import { postRender, type PostRendered, serializeSettings } from "./post_render.ts";
import type { Templates } from "./template.ts";

/** What {@linkcode renderRelease} works with. */
export interface RenderContext {
  readonly helm: Helm;
  readonly packageName: string;
  readonly templates: Templates;
  /** Of the API server, for charts that ask; with its `v`. */
  readonly kubeVersion?: string;
}

/**
 * Writes the post-renderer's settings.
 *
 * @param directory private
 * @returns their path.
 */
export function writeSettings(
  directory: string,
  context: Pick<RenderContext, "packageName" | "templates">,
): string {
  const path = `${directory}/post-render.json`;
  const { packageName, templates } = context;
  Deno.writeTextFileSync(path, serializeSettings({ packageName, templates }), { mode: 0o600 });
  return path;
}

/**
 * The objects of a release as they are applied, and its namespaces.
 *
 * @param rendered What Helm has rendered already.
 * @throws {DeployError} `PackageBroken`, `ChartFailed`.
 */
export async function renderRelease(
  planned: PlannedRelease,
  options: ReleaseOptions,
  context: RenderContext,
  rendered?: string,
): Promise<PostRendered> {
  const { kubeVersion, packageName, templates } = context;
  const text = planned.literal ?? rendered ?? await context.helm.renderForCluster(options) ??
    await context.helm.render({
      ...options,
      ...(kubeVersion === undefined ? {} : { kubeVersion }),
    });
  try {
    return postRender(text, { packageName, templates });
  } catch (cause) {
    throw new DeployError({
      reason: "PackageBroken",
      message: `"${planned.title}" is not readable as Kubernetes objects`,
      kept: "it was not applied",
      cause,
    });
  }
}
