import assert from "node:assert/strict";
import { load } from "js-yaml";
import { resolveSettings } from "../agent/mod.ts";
import { withDirectory } from "../../test/fakes/testing.ts";
import { configOf, defaultSettings, printedSettings, shippedSettings } from "./agent_command.ts";

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

Deno.test("on Talos the host name is not taken for the node's", () => {
  const { settings } = resolved({ "talos-socket": "/machine.sock" });
  assert.equal(settings["node-name"], undefined);
  const given = resolved({ "talos-socket": "/machine.sock", "node-name": "n1" }).settings;
  assert.equal(given["node-name"], "n1");
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

Deno.test("what the program came with gives way to the site's file, and that to flags", async () => {
  await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/shipped.yaml`, "drop-dir: [/media]\ndata-dir: /shipped\n");
    await Deno.writeTextFile(`${dir}/site.yaml`, "data-dir: /site\nlog-level: debug\n");
    const file = configOf(undefined, `${dir}/site.yaml`);
    assert(file !== undefined);
    const { settings, sources } = resolveSettings({
      flags: { "log-level": "warn" },
      environment: {},
      file,
      defaults: { ...defaultSettings(), ...shippedSettings(`${dir}/shipped.yaml`) },
    });
    assert.deepEqual(settings["drop-dir"], ["/media"]);
    assert.equal(settings["data-dir"], "/site");
    assert.equal(settings["log-level"], "warn");
    assert.equal(sources["drop-dir"], "default");
  });
});

Deno.test("a site's file need not be there, one that was named must", async () => {
  await withDirectory((dir) => {
    assert.equal(configOf(undefined, `${dir}/none.yaml`), undefined);
    // Talos makes a directory of a file that it was to mount and has not.
    assert.equal(configOf(undefined, dir), undefined);
    assert.throws(() => configOf(`${dir}/none.yaml`), /cannot be read/);
    assert.deepEqual(shippedSettings(undefined), {});
    return Promise.resolve();
  });
});
