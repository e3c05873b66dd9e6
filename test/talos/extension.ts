import { createHash } from "node:crypto";
import { cacheDir, hashTree, keepNewest, REPOSITORY_ROOT } from "../../extension/build/places.ts";
import { type ExtensionOptions, writeExtension } from "../../extension/build/image/image.ts";
import { ownIngredients } from "../../extension/build/image/main.ts";
import { judge } from "../e2e/support/extension_image.ts";
import { run } from "../cluster/run.ts";
import { isDirectory } from "../../src/std/mod.ts";

/** How many unpacked images stay in the cache; older ones are removed. */
const MAX_CACHED = 2;
/** What decides how the image is put together. */
const SOURCES = `${REPOSITORY_ROOT}/extension`;

/**
 * Puts the extension's image, unpacked as Talos' imager does it, into a new directory. It is made once
 * for what is in it, and its files are shared with the cache where the file system is the same.
 */
export async function putExtension(directory: string): Promise<void> {
  const ingredients = await ownIngredients("", () => {});
  const home = `${cacheDir()}/talos-extension`;
  await Deno.mkdir(home, { recursive: true });
  // Held until the files have their second name: nobody removes them before.
  using lock = await Deno.open(`${home}/lock`, { create: true, write: true });
  await lock.lock(true);
  const unpacked = `${home}/${await keyOf(ingredients)}`;
  if (!isDirectory(unpacked)) await make(ingredients, home, unpacked);
  await share(unpacked, directory);
}

/** A digest of everything that goes into the image. */
async function keyOf(ingredients: ExtensionOptions): Promise<string> {
  const { version, agent, helm, registry, seed } = ingredients;
  const hash = createHash("sha256").update(`${version}\0${hashTree(SOURCES)}\0${hashTree(seed)}`);
  for (const file of [agent, helm, registry]) hash.update(await Deno.readFile(file));
  return hash.digest("hex").slice(0, 24);
}

async function make(
  ingredients: ExtensionOptions,
  home: string,
  unpacked: string,
): Promise<void> {
  const work = await Deno.makeTempDir({ dir: home, prefix: "making-" });
  try {
    await writeExtension(ingredients, `${work}/layout`, `${work}/image.tar`);
    await Deno.mkdir(`${work}/unpacked`, { mode: 0o755 });
    const findings = await judge(`${work}/unpacked`, "-layout", `${work}/layout`);
    if (findings.length > 0) throw new Error(JSON.stringify(findings));
    await Deno.rename(`${work}/unpacked`, unpacked);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  keepNewest(home, MAX_CACHED);
}

async function share(from: string, to: string): Promise<void> {
  try {
    await run("cp", ["-al", from, to]);
  } catch {
    // Another file system, which may have some of it by now.
    await Deno.remove(to, { recursive: true }).catch(() => {});
    await run("cp", ["-a", from, to]);
  }
}
