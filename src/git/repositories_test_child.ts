/** Publishes two packages' clones of one repository and gives up the first; the test kills it on its way. */
import { ensureDir } from "../std/mod.ts";
import { Repositories } from "./repositories.ts";

const [git = "", dir = "", url = ""] = Deno.args;
ensureDir(`${dir}/data/tmp`);
const repositories = new Repositories({ git }, `${dir}/data`);
for (const character of ["1", "2"] as const) {
  const [packageName, digest] = [`package-${character}`, `sha256:${character.repeat(64)}`] as const;
  const directory = `${dir}/${character}`;
  await repositories.publish({ url, directory, packageName, digest: digest as `sha256:${string}` });
}
await repositories.retain((digest) => digest.endsWith("2"));
