/** Revisions that Helm keeps of a release (Zarf 0.84, helm/chart.go). */
const HISTORY_MAX = 10;

/** One release to bring to a chart's content. */
export interface ReleaseOptions {
  readonly release: string;
  readonly namespace: string;
  /** A directory or an archive. */
  readonly chart: string;
  /** Values files, the last one wins. */
  readonly valuesFiles: readonly string[];
  /**
   * Path of a JSON list of what `--set` has, which wins over the files: whole numbers that values
   * files would make floating ones.
   */
  readonly setFile?: string;
  /** Path of the post-renderer's settings. */
  readonly settings: string;
  readonly schemaValidation: boolean;
  /** Zarf's `serverSideApply`. */
  readonly serverSide: "true" | "false" | "auto";
  /** Milliseconds for each hook and deletion. */
  readonly timeout: number;
  /** Whether hooks that come after the objects wait until these are ready. @default false */
  readonly waits?: boolean;
  /** Whether fields that somebody else has taken over are taken back. @default false */
  readonly forceConflicts?: boolean;
}

/** The arguments that render a chart. */
export function templateArgs(options: ReleaseOptions): string[] {
  return [
    "template",
    options.release,
    options.chart,
    "--namespace",
    options.namespace,
    ...options.valuesFiles.flatMap((file) => ["--values", file]),
    ...(options.schemaValidation ? [] : ["--skip-schema-validation"]),
  ];
}

/** The arguments that install or upgrade a release. @param more for this call */
export function upgradeArgs(options: ReleaseOptions, more: readonly string[]): string[] {
  return [
    "upgrade",
    options.release,
    options.chart,
    "--install",
    "--namespace",
    options.namespace,
    "--history-max",
    String(HISTORY_MAX),
    "--timeout",
    seconds(options.timeout),
    `--wait=${options.waits === true ? "legacy" : "hookOnly"}`,
    `--server-side=${options.serverSide}`,
    ...(options.forceConflicts === true ? ["--force-conflicts"] : []),
    "--hide-notes",
    ...more,
    ...options.valuesFiles.flatMap((file) => ["--values", file]),
    ...(options.schemaValidation ? [] : ["--skip-schema-validation"]),
  ];
}

/** The arguments that bring a release back to an earlier revision. */
export function rollbackArgs(
  options: Pick<ReleaseOptions, "release" | "namespace" | "timeout" | "serverSide">,
  revision: number,
): string[] {
  return [
    "rollback",
    options.release,
    String(revision),
    "--namespace",
    options.namespace,
    "--history-max",
    String(HISTORY_MAX),
    "--timeout",
    seconds(options.timeout),
    "--wait=hookOnly",
    `--server-side=${options.serverSide}`,
    "--cleanup-on-fail",
  ];
}

/** As Go writes a time. */
function seconds(ms: number): string {
  return `${Math.ceil(ms / 1_000)}s`;
}
