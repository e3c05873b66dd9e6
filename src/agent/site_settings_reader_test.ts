import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { DeployError, NO_SETTINGS } from "../deploy/mod.ts";
import { readFile, SiteSettingsReader } from "./site_settings_reader.ts";

const reader = () => new SiteSettingsReader(() => assert.fail("nothing is read as TOML"));

function write(dir: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) Deno.writeTextFileSync(`${dir}/${name}`, text);
}

Deno.test("what lies beside the first path that has something counts", () =>
  withDirectory(async (dir) => {
    write(dir, {
      "b.config.json": '{"package": {"deploy": {"values": "v.yaml"}}}',
      "v.yaml": "a: 1\n",
      "c.config.yaml": "",
    });
    const found = await reader().beside([`${dir}/a`, `${dir}/b`, `${dir}/c`]);
    assert.equal(found?.file.name, "b.config.json");
    assert.deepEqual(found?.values, [{ name: "v.yaml", text: "a: 1\n" }]);
    assert.equal(await reader().beside([`${dir}/a`]), undefined);
  }));

Deno.test("three settings lie over each other, and values files of the uppermost that has some", () =>
  withDirectory(async (dir) => {
    write(dir, {
      "p.config.yaml": "package: {deploy: {set: {b: beside, c: beside}, values: [v.yaml]}}",
      "v.yaml": "from: beside\n",
      "own.yaml": "from: configured\n",
    });
    const configured = {
      ...NO_SETTINGS,
      variables: { A: "configured", B: "configured", C: "configured" },
      valuesFiles: [`${dir}/own.yaml`],
      components: "web",
      timeout: 5,
    };
    const found = await reader().beside([`${dir}/p`]);
    const above = { ...NO_SETTINGS, variables: { C: "above" }, setValues: { ".x": "1" } };
    const settings = await reader().settings(configured, found, above);
    assert.deepEqual(settings.variables, { A: "configured", B: "beside", C: "above" });
    assert.deepEqual([settings.components, settings.timeout], ["web", 5]);
    assert.deepEqual(settings.values, [
      { yaml: "from: beside\n" },
      { set: { path: ".x", text: "1", type: "inferred" } },
    ]);
    const alone = await reader().settings(configured);
    assert.deepEqual(alone.values, [{ yaml: "from: configured\n" }]);
    const given = await reader().settings(configured, found, NO_SETTINGS, ["from: above\n"]);
    assert.deepEqual(given.values, [{ yaml: "from: above\n" }]);
    assert.deepEqual((await reader().settings()).variables, {});
  }));

const BAD: readonly [string, Readonly<Record<string, string>>, RegExp][] = [
  [
    "two files",
    { "p.config.yaml": "", "p.config.json": "{}" },
    /p\.config\.yaml .*there are others: p\.config\.json/,
  ],
  [
    "a values file that is not there",
    { "p.config.yaml": "package: {deploy: {values: [v.yaml]}}" },
    /v\.yaml: it cannot be read/,
  ],
  [
    "a values file elsewhere",
    { "p.config.yaml": "package: {deploy: {values: [../v.yaml]}}" },
    /must lie beside the package/,
  ],
  ["no YAML", { "p.config.yaml": "a: [" }, /it is not YAML/],
];

for (const [name, files, expected] of BAD) {
  Deno.test(`settings with ${name} are refused by name`, () =>
    withDirectory(async (dir) => {
      write(dir, files);
      const found = await reader().beside([`${dir}/p`]);
      await assert.rejects(
        reader().settings(undefined, found),
        (error) =>
          error instanceof DeployError && error.reason === "SettingsInvalid" &&
          expected.test(error.message),
      );
    }));
}

Deno.test("a file that is too long or no text is a problem and not read", () =>
  withDirectory((dir) => {
    Deno.writeFileSync(`${dir}/long`, new Uint8Array((1 << 20) + 1));
    Deno.writeFileSync(`${dir}/odd`, new Uint8Array([0xff, 0xfe]));
    assert.match(readFile(`${dir}/long`).problem ?? "", /has 1048577 bytes, the limit is 1048576/);
    assert.match(readFile(`${dir}/odd`).problem ?? "", /cannot be read/);
    write(dir, { good: "text" });
    assert.deepEqual(readFile(`${dir}/good`), { text: "text" });
  }));
