import assert from "node:assert/strict";
import { load } from "js-yaml";
import { resolveSettings } from "../agent/mod.ts";
import { defaultSettings, printedSettings } from "./agent_command.ts";

const resolved = (flags: Record<string, string | string[]> = {}) =>
  resolveSettings({
    flags: { "drop-dir": ["/drop"], ...flags },
    environment: {},
    defaults: defaultSettings(),
  });

Deno.test("whoever gives a drop directory and nothing else gets an agent that works", () => {
  const { settings, sources } = resolved();
  assert.equal(settings["data-dir"], "/var/lib/holdfast");
  assert.equal(settings["node-name"], Deno.hostname().toLowerCase());
  assert.equal(sources["node-name"], "default");
  for (const name of ["registry-address", "admission-address", "status-address"] as const) {
    assert.match(settings[name], /^127\.0\.0\.1:\d+$/, "nothing listens beyond loopback by itself");
  }
  assert.equal(settings["peer-address"], undefined);
});

Deno.test("a setting without a value is not printed, every other one is", () => {
  const { settings, sources } = resolved({ kubeconfig: "/etc/kube config" });
  const text = printedSettings({ settings, sources });
  assert.deepEqual(load(text), { ...settings });
  assert(!text.includes("talos-socket"));
  assert.match(text, /^kubeconfig: .*kube config.* # flag$/m);
});

Deno.test("of what packages are deployed with only their names are printed", () => {
  const text = printedSettings(resolveSettings({
    flags: { "drop-dir": ["/drop"] },
    environment: {},
    defaults: defaultSettings(),
    file: { path: "agent.yaml", text: "packages: {web: {set: {PASSWORD: hunter2}}}" },
  }));
  assert.match(text, /^# packages: \["web"\] # file$/m);
  assert.doesNotMatch(text, /hunter2|PASSWORD/);
});

Deno.test("values that YAML would take for something else come back as they were", () => {
  const odd = { "node-name": "1e3", "data-dir": "# no comment: {}", "drop-dir": ["- a", "true"] };
  const read = load(printedSettings(resolved(odd))) as Record<string, unknown>;
  for (const [name, value] of Object.entries(odd)) assert.deepEqual(read[name], value);
});
