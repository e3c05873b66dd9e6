import { ensureDir } from "../std/mod.ts";
import type { ReleaseOptions } from "./helm_arguments.ts";
import { ACTION_MARK, helmMark } from "./leftovers.ts";
import { POST_RENDER_COPY, POST_RENDER_SETTINGS } from "./post_render.ts";

/** The command that Helm runs as post-renderer: Holdfast itself. */
export interface PostRendererCommand {
  readonly command: string;
  readonly args: readonly string[];
}

/** Where a Helm is at home. */
export interface HelmHome {
  /** A private directory for Helm's own files. */
  readonly home: string;
  /** Path of the kubeconfig. */
  readonly kubeconfig: string;
  readonly postRenderer: PostRendererCommand;
}

/** The variable that the generated plugin takes its command from. */
const EXECUTABLE = "HOLDFAST_EXECUTABLE";

/** The variable that this build of Helm takes further `--set` arguments from. */
const SET_FILE = "HOLDFAST_SET";

/** Files that Helm is told of in its environment. */
export type HelmFiles = Partial<Pick<ReleaseOptions, "settings" | "setFile">> & {
  /** Where the post-renderer leaves what it is given. */
  readonly copy?: string;
};

/** The whole environment of one Helm. */
export function helmEnvironment(
  { home, kubeconfig, postRenderer }: HelmHome,
  { settings, setFile, copy }: HelmFiles,
): Record<string, string> {
  return {
    HOME: home,
    TMPDIR: `${home}/tmp`,
    HELM_CACHE_HOME: `${home}/cache`,
    HELM_CONFIG_HOME: `${home}/config`,
    HELM_DATA_HOME: `${home}/data`,
    HELM_PLUGINS: `${home}/plugins`,
    KUBECONFIG: kubeconfig,
    [ACTION_MARK]: helmMark(home),
    [EXECUTABLE]: postRenderer.command,
    ...(settings === undefined ? {} : { [POST_RENDER_SETTINGS]: settings }),
    ...(setFile === undefined ? {} : { [SET_FILE]: setFile }),
    ...(copy === undefined ? {} : { [POST_RENDER_COPY]: copy }),
  };
}

/** Makes Helm's directories, with the plugin that is its post-renderer. */
export function makeHelmHome({ home, postRenderer }: HelmHome): void {
  for (const name of ["tmp", "cache", "config", "data", "plugins/holdfast"]) {
    ensureDir(`${home}/${name}`);
  }
  // Helm splits the command at spaces before it fills in variables, so that a path with spaces is
  // safe only as a variable (helm 4, internal/plugin/subprocess_commands.go).
  const plugin = {
    apiVersion: "v1",
    name: "holdfast",
    version: "0.1.0",
    type: "postrenderer/v1",
    runtime: "subprocess",
    runtimeConfig: {
      platformCommand: [{ command: `\${${EXECUTABLE}}`, args: postRenderer.args }],
    },
  };
  Deno.writeTextFileSync(`${home}/plugins/holdfast/plugin.yaml`, JSON.stringify(plugin));
}
