import assert from "node:assert/strict";
import { loadAll } from "js-yaml";
import { SITE_CONFIG } from "../../src/cli/mod.ts";
import { machineConfigs, sandboxPatch, serviceFile } from "./machine_config.ts";

const example = (name: string) =>
  Deno.readTextFileSync(new URL(`../../examples/talos/${name}.yaml`, import.meta.url));

/** What a test reads of the first document of a configuration. */
interface V1Alpha1 {
  machine: { type: string; token: string; kubelet: { extraConfig: Record<string, unknown> } };
  cluster: { id: string; controlPlane: { endpoint: string }; network: { cni: { name: string } } };
}

Deno.test("the nodes of a site share secrets, and each has its type, name and files", async () => {
  const configs = await machineConfigs("site", "192.0.2.1", [
    { type: "controlplane", patches: [example("controlplane"), sandboxPatch("one")] },
    { type: "worker", patches: [example("worker"), sandboxPatch("two")] },
  ]);
  const documents = configs.map(({ text }) => loadAll(text) as Record<string, unknown>[]);
  const [control, worker] = documents.map((all) => all[0] as unknown as V1Alpha1);
  assert.deepEqual([control?.machine.type, worker?.machine.type], ["controlplane", "worker"]);
  assert.equal(control?.machine.token, worker?.machine.token);
  assert.equal(control?.cluster.id, worker?.cluster.id);
  assert.equal(control?.cluster.controlPlane.endpoint, "https://192.0.2.1:6443");
  const names = documents.map((all) => all.find(({ kind }) => kind === "HostnameConfig"));
  assert.deepEqual(names.map((one) => one?.hostname), ["one", "two"]);
  for (const { files } of configs) {
    assert.deepEqual(Object.keys(files), [serviceFile("holdfast", SITE_CONFIG)]);
    assert.match(files[serviceFile("holdfast", SITE_CONFIG)] ?? "", /^drop-dir:$/m);
  }
});

Deno.test("what the sandbox needs is in what Talos makes of it", async () => {
  const [made] = await machineConfigs("site", "192.0.2.1", [
    { type: "worker", patches: [sandboxPatch("one")] },
  ]);
  const [{ machine, cluster }] = loadAll(made?.text ?? "") as [V1Alpha1];
  assert.equal(machine.kubelet.extraConfig.cgroupsPerQOS, false);
  assert.deepEqual(machine.kubelet.extraConfig.enforceNodeAllocatable, ["none"]);
  assert.equal(cluster.network.cni.name, "none");
});

Deno.test("a patch that Talos refuses is an error that says why", async () => {
  await assert.rejects(
    machineConfigs("site", "192.0.2.1", [{ type: "worker", patches: ["machine: {disk: x}\n"] }]),
    /unknown keys found during decoding/,
  );
});
