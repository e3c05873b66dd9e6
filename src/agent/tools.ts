import { HoldfastError } from "../std/mod.ts";

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
  try {
    if (Deno.statSync(helm).isFile) return { helm };
  } catch {
    // Said below, in the words of whoever has to mend it.
  }
  throw new ToolsError({
    reason: "ToolMissing",
    message: `${helm} is not there`,
    kept: "packages are taken in and wait",
    remedy: "give --tools-dir the directory that holds helm and kubectl",
    disposition: "wait",
  });
}

/** As it was at the start: a file that is replaced later is called "… (deleted)" by the kernel. */
const EXECUTABLE = Deno.execPath();

/** A directory that lies beside the executable, if it does. */
export function besideExecutable(name: string): string | undefined {
  const path = `${EXECUTABLE.replace(/\/[^/]*$/, "")}/${name}`;
  try {
    return Deno.statSync(path).isDirectory ? path : undefined;
  } catch {
    return undefined;
  }
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
