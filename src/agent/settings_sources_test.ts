import assert from "node:assert/strict";
import { resolve } from "../../test/fakes/settings.ts";
import { environmentName, settingNames } from "./settings_help.ts";
import type { SettingsInput } from "./settings_sources.ts";

Deno.test("a flag beats the environment, which beats the file, which beats the default", () => {
  const file = {
    path: "agent.yaml",
    text: "data-dir: /from/file\nlog-level: warn\nnode-name: file-node\n",
  };
  const environment = { HOLDFAST_DATA_DIR: "/from/env", HOLDFAST_LOG_LEVEL: "error" };
  const { settings, sources } = resolve({
    flags: { "drop-dir": ["/drop"], "data-dir": "/from/flag" },
    environment,
    file,
  });
  assert.equal(settings["data-dir"], "/from/flag");
  assert.equal(sources["data-dir"], "flag");
  assert.equal(settings["log-level"], "error");
  assert.equal(sources["log-level"], "environment");
  assert.equal(settings["node-name"], "file-node");
  assert.equal(sources["node-name"], "file");
  assert.equal(settings["image-mode"], "rewrite");
  assert.equal(sources["image-mode"], "default");
});

Deno.test("a repeatable setting is a list from every source", () => {
  const cases: Partial<SettingsInput>[] = [
    { flags: { "drop-dir": ["/a", "/b"] } },
    { flags: {}, environment: { HOLDFAST_DROP_DIR: "/a:/b" } },
    { flags: {}, file: { path: "f", text: "drop-dir: [/a, /b]" } },
  ];
  for (const input of cases) assert.deepEqual(resolve(input).settings["drop-dir"], ["/a", "/b"]);
});

Deno.test("an empty file and an empty variable are as if they were not there", () => {
  const { settings } = resolve({
    environment: { HOLDFAST_LOG_LEVEL: "" },
    file: { path: "f", text: "" },
  });
  assert.equal(settings["log-level"], "info");
});

Deno.test("every setting has a variable in the environment that is read", () => {
  for (const name of settingNames()) {
    assert.match(environmentName(name), /^HOLDFAST_[A-Z_]+$/);
  }
  assert.equal(environmentName("drop-dir"), "HOLDFAST_DROP_DIR");
});
