import { HoldfastError, isDirectory, isFile } from "../std/mod.ts";

/** A program that the agent calls is missing. */
export class ToolsError extends HoldfastError<"ToolMissing"> {}

/** The programs that the agent calls. */
export interface Tools {
  readonly helm: string;
}

/**
 * Where the programs are, or why deploying must wait.
 *
 * @throws {ToolsError} when one is not there.
 */
export function findTools(directory: string | undefined): Tools {
  const helm = `${directory ?? "tools"}/helm`;
  if (isFile(helm)) return { helm };
  throw new ToolsError({
    reason: "ToolMissing",
    message: `${helm} is not there`,
    kept: "packages are taken in and wait",
    remedy: "give --tools-dir the directory that holds helm and kubectl",
    disposition: "wait",
  });
}

/** Where programs are when the environment does not say. */
const USUAL_PATH = "/usr/local/bin:/usr/bin:/bin";

/** The real git. */
export interface GitTool {
  /** Path of the executable. */
  readonly git: string;
  /** Its subcommands, where they lie beside it. */
  readonly execPath?: string;
}

/**
 * The real git: `git` in the directory of the tools, with its subcommands in `libexec/git-core`
 * there, or else the machine's own.
 *
 * @param path a search path. @default the process' own
 * @returns undefined when there is none
 */
export function findGit(
  directory: string | undefined,
  path: string = Deno.env.get("PATH") || USUAL_PATH,
): GitTool | undefined {
  const own = `${directory ?? "tools"}/git`;
  if (isFile(own)) {
    const execPath = `${directory ?? "tools"}/libexec/git-core`;
    return { git: own, ...(isDirectory(execPath) ? { execPath } : {}) };
  }
  const found = path.split(":").filter((each) => each.startsWith("/"))
    .map((each) => `${each}/git`).find(isFile);
  return found === undefined ? undefined : { git: found };
}

/** As it was at the start: a file that is replaced later is called "… (deleted)" by the kernel. */
const EXECUTABLE = Deno.execPath();

/** A directory or file that lies beside the executable, if it does. */
export function besideExecutable(
  name: string,
  kind: "directory" | "file" = "directory",
): string | undefined {
  const path = `${EXECUTABLE.replace(/\/[^/]*$/, "")}/${name}`;
  return (kind === "file" ? isFile : isDirectory)(path) ? path : undefined;
}

/** How this program is called again. */
export function holdfastCommand(): { readonly command: string; readonly args: string[] } {
  const command = EXECUTABLE;
  // From source the executable is Deno itself, which must be told what to run.
  const source = import.meta.url.endsWith(".ts");
  const main = new URL("../../main.ts", import.meta.url).pathname;
  return { command, args: source ? ["run", "-A", main] : [] };
}

/** How this program is called again as Helm's post-renderer. */
export function postRendererCommand(): { readonly command: string; readonly args: string[] } {
  const { command, args } = holdfastCommand();
  return { command, args: [...args, "post-render"] };
}
