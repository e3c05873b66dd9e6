import assert from "node:assert/strict";
import { load } from "js-yaml";
import { resolveSettings } from "../../../src/agent/mod.ts";
import { agentYaml, ENVIRONMENT, manifestYaml, MOUNTS, serviceYaml } from "./service.ts";

Deno.test("the service waits for nothing but /var, and is always restarted", () => {
  const spec = load(serviceYaml()) as Record<string, unknown>;
  assert.deepEqual(spec.depends, [{ service: "cri" }]);
  assert.equal(spec.restart, "always");
});

Deno.test("nothing that is mounted can be executed, and nothing that is only read be written", () => {
  for (const { destination, options } of MOUNTS) {
    for (const option of ["nosuid", "nodev", "noexec"]) {
      assert(options.includes(option), `${destination}: ${option}`);
    }
  }
  const written = MOUNTS.filter(({ options }) => options.includes("rw")).map((one) => one.source);
  assert.deepEqual(written, ["/var/lib/holdfast", "/var/mnt", "/var/lib/etcd"]);
});

Deno.test("what the agent writes in passing goes to memory that is its own", () => {
  const places = ENVIRONMENT.flatMap((line) =>
    /^(?:HOME|TMPDIR|DENO_DIR)=(.*)$/.exec(line)?.[1] ?? []
  );
  assert.equal(places.length, 3);
  for (const place of places) assert.match(place, /^\/tmp(\/|$)/);
  const tmp = MOUNTS.find(({ destination }) => destination === "/tmp");
  assert.equal(tmp?.type, "tmpfs");
  assert(tmp?.options.includes("mode=0700") && tmp.options.some((one) => one.startsWith("size=")));
});

Deno.test("the settings of the image are settings of the agent, in directories that are mounted", () => {
  const { settings } = resolveSettings({
    flags: {},
    environment: {},
    file: { path: "agent.yaml", text: agentYaml() },
    defaults: {
      ...{ "node-name": "one", "image-mode": "rewrite", "log-format": "json", "log-level": "info" },
      ...{ "registry-address": "127.0.0.1:1", "admission-address": "127.0.0.1:2" },
      "status-address": "127.0.0.1:3",
    },
  });
  const paths = [settings["data-dir"], ...settings["drop-dir"], settings["talos-socket"] ?? ""];
  for (const path of paths) {
    assert(MOUNTS.some(({ destination }) => `${path}/`.startsWith(`${destination}/`)), path);
  }
});

Deno.test("the manifest names the version and the oldest Talos", () => {
  const manifest = load(manifestYaml("0.1.0+abc")) as { metadata: Record<string, unknown> };
  assert.equal(manifest.metadata.version, "0.1.0+abc");
  assert.deepEqual(manifest.metadata.compatibility, { talos: { version: ">= v1.13.0" } });
});
