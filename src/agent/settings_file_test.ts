import assert from "node:assert/strict";
import { resolve } from "../../test/fakes/settings.ts";
import { SettingsError } from "./settings.ts";
import { packagesIn, settingsIn } from "./settings_file.ts";

Deno.test("what packages are deployed with stands in the file, and is not printed", () => {
  const file = {
    path: "/etc/holdfast/agent.yaml",
    text: `
log-level: warn
packages:
  web:
    set: { MODE: 0755, password: hunter2 }
    components: extra
    values: [web.yaml, /srv/more.yaml]
  db:
`,
  };
  assert.deepEqual(settingsIn(file), { "log-level": "warn" });
  assert.deepEqual(packagesIn(file), {
    web: {
      components: "extra",
      variables: { MODE: "0755", PASSWORD: "hunter2" },
      valuesFiles: ["/etc/holdfast/web.yaml", "/srv/more.yaml"],
      setValues: {},
      skipValuesSchema: false,
      init: {},
    },
    db: {
      components: "",
      variables: {},
      valuesFiles: [],
      setValues: {},
      skipValuesSchema: false,
      init: {},
    },
  });
  assert.deepEqual(resolve({ file }).settings.packages, packagesIn(file));
  assert.equal(resolve({}).settings.packages, undefined);
});

Deno.test("settings of packages that cannot be used keep the agent from starting", () => {
  const rows: [text: string, reason: string, message: RegExp][] = [
    ["packages: {web: {sets: {A: hunter2}}}", "InvalidSetting", /no setting packages\.web\.sets/],
    ["packages: {web: {set: hunter2}}", "InvalidSetting", /packages\.web\.set must be keys/],
    ["packages: hunter2", "ConfigUnreadable", /packages/],
    ["packages: [hunter2]", "InvalidSetting", /packages\.0 is not a section/],
    ["packages: {web: {set: {A: 'hunter2}}}", "ConfigUnreadable", /not YAML in line 1/],
  ];
  for (const [text, reason, message] of rows) {
    assert.throws(() => resolve({ file: { path: "agent.yaml", text } }), (error) => {
      assert.ok(error instanceof SettingsError);
      assert.equal(error.reason, reason, text);
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /hunter2/, text);
      return true;
    });
  }
});

Deno.test("a file that does not hold settings is refused by name", () => {
  const rows: [text: string, reason: string, message: RegExp][] = [
    ["datadir: /x", "UnknownSetting", /a\.yaml has an unknown setting "datadir"/],
    ["a: [", "ConfigUnreadable", /a\.yaml is not YAML in line 1/],
    ["- a", "ConfigUnreadable", /a\.yaml does not hold settings: .*list/s],
    ["data-dir: { path: /x }", "ConfigUnreadable", /a\.yaml does not hold settings/],
  ];
  for (const [text, reason, message] of rows) {
    assert.throws(() => settingsIn({ path: "a.yaml", text }), (error) => {
      assert.ok(error instanceof SettingsError);
      assert.equal(error.reason, reason, text);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("a file of comments alone holds no settings", () => {
  assert.deepEqual(settingsIn({ path: "a.yaml", text: "# data-dir: /x\n" }), {});
});
