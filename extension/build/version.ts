/**
 * The version that is baked into the binary: that of deno.json when the checkout is exactly its tag
 * `v<version>`; else with the commit as build metadata (`0.1.0+4f2a1c9`, `….dirty` with changes that
 * are not committed). Without git it is deno.json's.
 */
export async function buildVersion(root: string): Promise<string> {
  const { version } = JSON.parse(await Deno.readTextFile(`${root}/deno.json`));
  const described = await git(root, ["describe", "--tags", "--always", "--dirty=.dirty"]);
  if (described === undefined || described === `v${version}`) return version;
  const commit = await git(root, ["rev-parse", "--short", "HEAD"]);
  return `${version}+${commit}${described.endsWith(".dirty") ? ".dirty" : ""}`;
}

async function git(root: string, args: readonly string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command("git", {
      args: ["-C", root, ...args],
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}
