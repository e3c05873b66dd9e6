import assert from "node:assert/strict";
import { PACKAGES } from "../agent.ts";
import { zarfCreate } from "../zarf.ts";
import { writeSource } from "../zarf_sources.ts";
import type { MadePackage } from "./site.ts";
import type { Source } from "./sources.ts";

/** Made by the real zarf; the image of all pods is in it. */
const WITH_IMAGES = `${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`;
const FLAGS = ["--skip-sbom", "--architecture=amd64"];

/** Has the real zarf make the packages below a directory, in the order given. */
export async function makePackages(
  directory: string,
  sources: readonly Source[],
): Promise<MadePackage[]> {
  await writeImages(`${directory}/images.tar`);
  const made: MadePackage[] = [];
  for (const [at, source] of sources.entries()) {
    const { definition, files, config, beside = {} } = source;
    const name = `${at}-${(definition["metadata"] as { name: string }).name}`;
    const path = await writeSource(`${directory}/${name}`, definition, files);
    const file = await zarfCreate(path, `${directory}/${name}-out`, FLAGS);
    made.push({ file, name, beside, ...(config === undefined ? {} : { config }) });
  }
  return made;
}

/** The images of a package as an archive that zarf takes. */
async function writeImages(file: string): Promise<void> {
  const unpacked = `${file}.d`;
  await Deno.mkdir(unpacked);
  await run("tar", "--zstd", "-xf", WITH_IMAGES, "-C", unpacked, "images");
  await run("tar", "-cf", file, "-C", `${unpacked}/images`, ".");
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(command, { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
}
