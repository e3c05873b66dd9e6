import { ensureDir, type Exec, type ExecResult, readIfThere, removeQuietly } from "../std/mod.ts";
import { DeployError } from "./errors.ts";
import { type ReleaseOptions, rollbackArgs, templateArgs, upgradeArgs } from "./helm_arguments.ts";
import {
  helmEnvironment,
  type HelmFiles,
  type HelmHome,
  makeHelmHome,
  type PostRendererCommand,
} from "./helm_home.ts";
import { type HelmPreview, parsePreview } from "./helm_preview.ts";
import { endLeftovers, helmMark } from "./leftovers.ts";
import { withoutMisleading } from "./refusal.ts";

/** What Helm gets beyond its own time limit before it is ended, in milliseconds. */
const GRACE = 30_000;
/** How long Helm may take to render without a cluster, in milliseconds. */
const RENDER_TIMEOUT = 60_000;
/** The longest rendered chart, in bytes; Helm's own limit on a chart is 100 MiB. */
const MAX_RENDERED = 64 << 20;
/** How long Helm may take to ask the API server about a release, in milliseconds. */
const PREVIEW_TIMEOUT = 300_000;
/** The longest answer about a release, which has each object three times, in bytes. */
const MAX_PREVIEW = 4 * MAX_RENDERED;
/** The longest error text that is passed on, in characters. */
const MAX_ERROR = 1_500;

/** What {@linkcode Helm} works with. */
export interface HelmOptions extends HelmHome {
  readonly exec: Exec;
  /** Path of the executable. */
  readonly helm: string;
  readonly signal?: AbortSignal;
}

export type { PostRendererCommand, ReleaseOptions };

/** How a chart is rendered without installing it. */
export interface RenderHelmOptions extends ReleaseOptions {
  /** What the chart takes for the cluster's version. */
  readonly kubeVersion?: string;
  /** Whether what the chart has in `crds/` is printed, too. @default false */
  readonly includeCrds?: boolean;
}

/**
 * The real Helm 4 as a child process, with private directories, the kubeconfig by file and no secret
 * in an argument. It does not wait for readiness (only for hooks, and for objects that hooks come
 * after): that is done by this room, which can say what is missing.
 */
export class Helm {
  readonly #options: HelmOptions;

  /** @param isPrepared Whether the directories are there. @default they are made */
  constructor(options: HelmOptions, isPrepared = false) {
    this.#options = options;
    if (!isPrepared) makeHelmHome(options);
  }

  /** The same, ended by another signal. */
  under(signal: AbortSignal | undefined): Helm {
    const { signal: _, ...others } = this.#options;
    return new Helm({ ...others, ...(signal === undefined ? {} : { signal }) }, true);
  }

  /** Ends every Helm that a process which was killed has left working in this directory. */
  async endLeftovers(): Promise<void> {
    await endLeftovers(helmMark(this.#options.home));
  }

  /**
   * Installs or upgrades. An install brings the chart's CRDs, an upgrade leaves them.
   *
   * @throws {DeployError} `ChartFailed` with Helm's reason.
   */
  async upgrade(options: ReleaseOptions): Promise<void> {
    const args = upgradeArgs(options, ["--post-renderer", "holdfast"]);
    const result = await this.#run(args, options.timeout + GRACE, options);
    this.#check(result, options);
  }

  /**
   * What an upgrade would make: the release in JSON, as Helm keeps it in its Secrets but without
   * objects, and the text that it renders to. The cluster is only read.
   *
   * @returns undefined when Helm cannot say: the upgrade itself gives the reason.
   */
  async dryRun(
    options: ReleaseOptions,
  ): Promise<{ readonly json: string; readonly rendered: string } | undefined> {
    const copy = `${options.settings}.upgraded`;
    const more = ["--dry-run=server", "--output", "json", "--post-renderer", "holdfast"];
    // As renderForCluster: what is not filled in yet need not be valid.
    const result = await this.#run(upgradeArgs(options, more), RENDER_TIMEOUT, {
      ...options,
      copy,
    });
    const rendered = readIfThere(copy);
    if (result.code !== 0 || rendered === undefined) return undefined;
    return { json: result.stdout, rendered };
  }

  /**
   * Renders a chart without a cluster.
   *
   * @throws {DeployError} `PackageBroken` with Helm's reason, `ChartFailed` when it took too long.
   */
  async render(options: RenderHelmOptions): Promise<string> {
    const args = [
      ...templateArgs(options),
      ...(options.kubeVersion === undefined ? [] : ["--kube-version", options.kubeVersion]),
      ...(options.includeCrds === true ? ["--include-crds"] : []),
    ];
    const result = await this.#run(args, RENDER_TIMEOUT, options);
    if (result.code === 0) return result.stdout;
    // A node that is too busy to render says nothing about the chart.
    if (result.timedOut) this.#check(result, options);
    throw new DeployError({
      reason: "PackageBroken",
      message: `chart ${options.chart.split("/").at(-1)} cannot be rendered: ${reasonOf(result)}`,
    });
  }

  /**
   * Renders a chart as an installation would, `lookup` and `.Capabilities` included.
   *
   * @returns undefined when it cannot be rendered, or the cluster not be asked.
   */
  async renderForCluster(options: ReleaseOptions): Promise<string | undefined> {
    const copy = `${options.settings}.rendered`;
    const args = [...templateArgs(options), "--dry-run=server", "--post-renderer", "holdfast"];
    // The post-renderer gives nothing back: Helm would ask about every object, and fail where the chart
    // itself brings the definition of a kind.
    const result = await this.#run(args, RENDER_TIMEOUT, { ...options, copy });
    return readIfThere(copy) ?? (result.code === 0 ? result.stdout : undefined);
  }

  /**
   * What {@linkcode upgrade} would do, object by object. Nothing is written: Helm's own code runs with
   * dry runs only (`extension/tools/helm/preview`).
   *
   * @throws {DeployError} `ChartFailed` when nothing can be said.
   */
  async preview(options: ReleaseOptions): Promise<HelmPreview> {
    const { release, namespace, chart, valuesFiles, setFile, settings } = options;
    const { serverSide, schemaValidation } = options;
    const set = setFile === undefined ? [] : JSON.parse(Deno.readTextFileSync(setFile));
    const { exec, helm, signal } = this.#options;
    const result = await exec(helm, {
      args: ["preview"],
      env: helmEnvironment(this.#options, { settings }),
      stdin: JSON.stringify({
        ...{ release, namespace, chart, valuesFiles, set, serverSide, schemaValidation },
      }),
      timeout: PREVIEW_TIMEOUT,
      maxOutput: MAX_PREVIEW,
      ...(signal === undefined ? {} : { signal }),
    });
    this.#check(result, options);
    const preview = parsePreview(result.stdout);
    if (preview !== undefined) return preview;
    throw new DeployError({
      reason: "ChartFailed",
      message: `release ${release} in namespace ${namespace}: helm preview gave no answer`,
    });
  }

  /**
   * What the newest revision of a release applied, hooks left out.
   *
   * @throws {DeployError} `ChartFailed`.
   */
  async manifest(options: Pick<ReleaseOptions, "release" | "namespace">): Promise<string> {
    const args = ["get", "manifest", options.release, "--namespace", options.namespace];
    const result = await this.#run(args, RENDER_TIMEOUT);
    this.#check(result, options);
    return result.stdout;
  }

  /**
   * Brings a release back to an earlier revision.
   *
   * @throws {DeployError} `ChartFailed`.
   */
  async rollback(
    options: Pick<ReleaseOptions, "release" | "namespace" | "timeout" | "serverSide">,
    revision: number,
  ): Promise<void> {
    const args = rollbackArgs(options, revision);
    this.#check(await this.#run(args, options.timeout + GRACE), options);
  }

  #run(args: readonly string[], timeout: number, files: HelmFiles = {}): Promise<ExecResult> {
    const { exec, helm, signal } = this.#options;
    return exec(helm, {
      args,
      env: helmEnvironment(this.#options, files),
      timeout,
      maxOutput: MAX_RENDERED,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  #check(result: ExecResult, options: Pick<ReleaseOptions, "release" | "namespace">): void {
    if (result.code === 0) return;
    const why = result.timedOut ? "it did not end in time" : reasonOf(result);
    throw new DeployError({
      reason: "ChartFailed",
      message: `release ${options.release} in namespace ${options.namespace}: ${why}`,
      disposition: "retry",
    });
  }
}

/** Makes a directory that only this process's user reads, calls `action` and removes it. */
export async function withPrivateDirectory<T>(
  parent: string,
  action: (directory: string) => Promise<T>,
): Promise<T> {
  ensureDir(parent);
  const directory = Deno.makeTempDirSync({ dir: parent, prefix: "deploy-" });
  try {
    return await action(directory);
  } finally {
    removeQuietly(directory);
  }
}

/**
 * What went wrong, from Helm's error output: its last `Error:` line and what follows it, without the
 * warnings before and the advice after.
 */
export function reasonOf(result: Pick<ExecResult, "code" | "stderr">): string {
  const lines = result.stderr.split("\n").map((line) => line.trim()).filter((line) =>
    line !== "" && !line.startsWith("level=") && !line.startsWith("WARNING:") &&
    !line.startsWith("Use --debug")
  );
  const at = lines.findLastIndex((line) => line.startsWith("Error: "));
  const useful = (at < 0 ? lines.slice(-3) : lines.slice(at)).join("; ").replace(/^Error: /, "");
  return useful === ""
    ? `helm ended with code ${result.code}`
    : withoutMisleading(useful).slice(0, MAX_ERROR);
}
