import assert from "node:assert/strict";
import { obstacle } from "../cluster/mod.ts";
import { PACKAGES } from "./support/agent.ts";
import { ACTING_PACKAGES } from "./support/differential/acting_packages.ts";
import { CHART_PACKAGES } from "./support/differential/chart_packages.ts";
import { described, differences } from "./support/differential/compare.ts";
import { allObjects } from "./support/differential/dump.ts";
import { makePackages } from "./support/differential/make.ts";
import { MANIFEST_PACKAGES } from "./support/differential/manifest_packages.ts";
import { NAMED_DIFFERENCES } from "./support/differential/named_differences.ts";
import { normalise } from "./support/differential/normalise.ts";
import { type MadePackage, Site } from "./support/differential/site.ts";
import type { Source } from "./support/differential/sources.ts";
import { FIRST_FAILURE, UPGRADE_PACKAGES } from "./support/differential/upgrade_packages.ts";

const PAGE = new URL("../../docs/zarf-differences.md", import.meta.url);
const HEADING = "Deploying: what is left in the cluster";
/** Made by the real zarf, long ago. */
const FIXTURES: readonly string[] = ["app-small-amd64-0.0.1", "app-chart-amd64-1.2.3"];
const SOURCES: readonly Source[] = [
  ...MANIFEST_PACKAGES,
  ...CHART_PACKAGES,
  ...ACTING_PACKAGES,
  ...UPGRADE_PACKAGES,
  ...FIRST_FAILURE,
];

Deno.test("the page about differences names those of a deployment, and no others", async () => {
  const [, section = ""] = (await Deno.readTextFile(PAGE)).split(`## ${HEADING}\n`);
  const [text = ""] = section.split("\n## ");
  const listed = [...text.matchAll(/^- `([^`]+)`: /gm)].map(([, name]) => name);
  assert.deepEqual(listed, NAMED_DIFFERENCES.map(({ name }) => name));
});

Deno.test({
  name: "packages leave the same in a cluster by Holdfast and by the real zarf",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const directory = await Deno.makeTempDir({ prefix: "holdfast-differ-" });
    try {
      const made = [
        ...await makePackages(directory, SOURCES),
        ...FIXTURES.map((name) => ({
          file: `${PACKAGES}/zarf-package-${name}.tar.zst`,
          name,
          beside: {},
        })),
      ];
      await using zarf = await Site.up("differ-z");
      await using holdfast = await Site.up("differ-h");
      for (const [at, one] of made.entries()) {
        await t.step(one.name, () => deployOnBoth(zarf, holdfast, one, SOURCES[at]));
      }
      await t.step("nothing else differs", () => compare(zarf, holdfast));
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});

async function deployOnBoth(
  zarf: Site,
  holdfast: Site,
  made: MadePackage,
  { failures = 0 }: Partial<Source> = {},
): Promise<void> {
  const byZarf = async () => {
    for (let at = 1; at < failures; at++) assert.ok(await zarf.deployWithZarf(made));
    return await zarf.deployWithZarf(made);
  };
  const [one, other] = await Promise.all([byZarf(), holdfast.deployWithHoldfast(made)]);
  assert.equal(one !== undefined, failures > 0, one ?? "zarf deployed it");
  assert.equal(other !== undefined, failures > 0, other ?? "Holdfast deployed it");
}

async function compare(zarf: Site, holdfast: Site): Promise<void> {
  const [one = [], other = []] = await Promise.all(
    [zarf, holdfast].map(({ kube }) => allObjects(kube)),
  );
  const found = differences(normalise(one), normalise(other)).map((difference) => ({
    difference,
    name: NAMED_DIFFERENCES.find(({ applies }) => applies(difference))?.name,
  }));
  const unnamed = found.filter(({ name }) => name === undefined);
  const lines = unnamed.map(({ difference }) => described(difference));
  assert.equal(lines.length, 0, `${lines.length} differences:\n${lines.join("\n")}`);
  const names = new Set(found.map(({ name }) => name));
  for (const { name } of NAMED_DIFFERENCES) assert.ok(names.has(name), `"${name}" is gone`);
}
