import * as v from "valibot";
import { REPOSITORY_ROOT, runGo, ToolError } from "./go_tools.ts";

/** How much of Go's output an error shows, in characters. */
const MAX_ERROR_TAIL = 2_000;

const GoModSchema = v.object({
  Require: v.array(v.object({ Path: v.string(), Version: v.string() })),
});
const DownloadSchema = v.object({ Dir: v.string() });

/**
 * The directory of a Go module's files, for what they hold beside source. It is in Go's own cache, and
 * is fetched where that has it not; its checksum is that of the pinning module's go.sum. What the
 * module itself needs is not fetched.
 *
 * @param pin Directory of the module whose go.mod names the version, from the repository's root.
 * @throws {ToolError} when Go is missing, or the module is not pinned, not there or has other bytes.
 */
export async function moduleDirectory(
  pin: string,
  module: string,
  root: string = REPOSITORY_ROOT,
): Promise<string> {
  const cwd = `${root}/${pin}`;
  const pinned = await answer(cwd, module, ["mod", "edit", "-json"], GoModSchema);
  const version = pinned.Require.find(({ Path }) => Path === module)?.Version;
  if (version === undefined) throw notThere(module, `${pin}/go.mod does not require it`);
  const args = ["mod", "download", "-json", `${module}@${version}`];
  return (await answer(cwd, module, args, DownloadSchema)).Dir;
}

async function answer<T>(
  cwd: string,
  module: string,
  args: readonly string[],
  schema: v.GenericSchema<unknown, T>,
): Promise<T> {
  const { code, stdout, stderr } = await runGo(cwd, args);
  const parsed = v.safeParse(v.pipe(v.string(), v.parseJson(), schema), stdout);
  if (code === 0 && parsed.success) return parsed.output;
  throw notThere(module, (stderr.trim() || stdout.trim()).slice(-MAX_ERROR_TAIL));
}

function notThere(module: string, why: string): ToolError {
  return new ToolError({
    reason: "ModuleUnavailable",
    message: `the Go module ${module} is not there: ${why}`,
    remedy: "check that the Go module proxy can be reached and that the disk has space",
    disposition: "retry",
  });
}
