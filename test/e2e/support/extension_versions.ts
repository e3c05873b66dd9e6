import assert from "node:assert/strict";
import { bundle } from "../../../extension/build/bundle.ts";
import { compile } from "../../../extension/build/compile.ts";
import { cacheDir } from "../../../extension/build/go_tools.ts";
import { writeExtension } from "../../../extension/build/image/image.ts";
import { ownIngredients } from "../../../extension/build/image/main.ts";
import { ensureDenort } from "../../build/denort.ts";
import { ROOT } from "./agent.ts";
import { judge } from "./extension_image.ts";

/** The end of the last version of the database, in the bundled program. */
const LAST_SCHEMA = /(ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0;\s*`)/;

/** Another build of the extension. */
export interface OtherVersion {
  readonly version: string;
  /** Whether its database is one version newer. */
  readonly isNewSchema?: boolean;
}

/** Builds the extension as another version of this checkout; unpacks it into `directory`/image. */
export async function buildVersion(directory: string, other: OtherVersion): Promise<string> {
  const { version, isNewSchema } = other;
  const bundled = await bundle({
    entry: `${ROOT}/main.ts`,
    sources: `${ROOT}/src`,
    output: `${directory}/bundle`,
    version,
  });
  if (isNewSchema) addSchema(bundled.main);
  const agent = `${directory}/holdfast`;
  const base = Deno.env.get("DENORT_BIN") || await ensureDenort(cacheDir());
  await compile({ bundle: bundled, output: agent, base });
  const ingredients = await ownIngredients("", () => {});
  const layout = `${directory}/layout`;
  await writeExtension({ ...ingredients, agent, version }, layout, `${directory}/image.tar`);
  const image = `${directory}/image`;
  await Deno.mkdir(image, { mode: 0o755 });
  await judge(image, "-layout", layout);
  return image;
}

function addSchema(main: string): void {
  const text = Deno.readTextFileSync(main);
  const changed = text.replace(LAST_SCHEMA, "$1, `CREATE TABLE later (id INTEGER) STRICT;`");
  assert.notEqual(changed, text, "the versions of the database are not where they were");
  Deno.writeTextFileSync(main, changed);
}
