import { digestOf } from "../../src/std/mod.ts";
import { ignoreMissing, whenChanged } from "./stamp.ts";

/**
 * Lays the tools that the agent calls into `directory`: `helm`, and `kubectl` as a link to it, since
 * both are one program that looks at the name it is called by.
 *
 * @param helm the built program.
 * @returns whether anything was written.
 */
export async function writeTools(directory: string, helm: string): Promise<boolean> {
  const inputs = [digestOf(await Deno.readFile(helm))];
  return await whenChanged(directory, inputs, async () => {
    await Deno.mkdir(directory, { recursive: true });
    // A new file, not new content: an agent of a running demo may be executing the old one.
    await Deno.copyFile(helm, `${directory}/helm.tmp`);
    await Deno.chmod(`${directory}/helm.tmp`, 0o755);
    await Deno.rename(`${directory}/helm.tmp`, `${directory}/helm`);
    await Deno.remove(`${directory}/kubectl`).catch(ignoreMissing);
    await Deno.symlink("helm", `${directory}/kubectl`);
  });
}
