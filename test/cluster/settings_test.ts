import assert from "node:assert/strict";
import {
  admissionConfig,
  auditPolicy,
  cniConfig,
  containerdConfig,
  KUBELET_TUNABLES,
  kubeletConfig,
  mirrorHosts,
  proxyConfig,
} from "./settings.ts";

/** Reads a value by path out of JSON text. */
function at(text: string, ...path: (string | number)[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (value as Record<string | number, unknown>)[key],
    JSON.parse(text),
  );
}

Deno.test("Pod Security is Talos' default: baseline enforced, kube-system exempt", () => {
  const path = ["plugins", 0, "configuration"] as const;
  assert.deepEqual(at(admissionConfig(), ...path, "defaults"), {
    enforce: "baseline",
    "enforce-version": "latest",
    audit: "restricted",
    "audit-version": "latest",
    warn: "restricted",
    "warn-version": "latest",
  });
  assert.deepEqual(at(admissionConfig(), ...path, "exemptions", "namespaces"), ["kube-system"]);
});

Deno.test("requests that only read are not noted", () => {
  assert.deepEqual(at(auditPolicy(), "rules", 0), {
    level: "None",
    verbs: ["get", "list", "watch"],
  });
  assert.deepEqual(at(auditPolicy(), "rules", 1), { level: "Metadata" });
});

Deno.test("kube-proxy runs in nftables mode and leaves the machine's connection table alone", () => {
  assert.equal(at(proxyConfig(1), "mode"), "nftables");
  assert.equal(at(proxyConfig(1, "iptables"), "mode"), "iptables");
  for (const mode of ["nftables", "iptables"] as const) {
    assert.equal(at(proxyConfig(1, mode), mode, "minSyncPeriod"), "100ms");
  }
  assert.equal(at(proxyConfig(3), "hostnameOverride"), "node3");
  assert.equal(at(proxyConfig(1), "conntrack", "maxPerCore"), 0);
});

Deno.test("the kubelet keeps pods in its node's own group and takes cgroup version 1", () => {
  const config = kubeletConfig(2, "holdfast-x-123456");
  assert.equal(at(config, "cgroupRoot"), "/holdfast-x-123456/node2");
  assert.equal(at(config, "failCgroupV1"), false);
  assert.equal(at(config, "oomScoreAdj"), 0);
});

Deno.test("each node hands out pod addresses of its own range", () => {
  const range = ["plugins", 0, "ipam", "ranges", 0, 0, "subnet"] as const;
  assert.equal(at(cniConfig(1), ...range), "10.244.1.0/24");
  assert.equal(at(cniConfig(2), ...range), "10.244.2.0/24");
});

Deno.test("the mirror is the server too, so that containerd never tries the real registry", () => {
  const lines = mirrorHosts().split("\n");
  assert.equal(lines[0], 'server = "http://127.0.0.1:31999"');
  assert.equal(lines[1], '[host."http://127.0.0.1:31999"]');
});

Deno.test("containerd runs the built shim and looks for registries where Talos does", () => {
  const config = containerdConfig("/cache/containerd-shim-runc-v2");
  assert.match(config, /runtime_path = "\/cache\/containerd-shim-runc-v2"/);
  assert.match(config, /config_path = "\/etc\/cri\/conf\.d\/hosts"/);
  assert.match(config, /sandbox = "registry\.k8s\.io\/pause:/);
  assert.match(config, /restrict_oom_score_adj = true/);
});

Deno.test(
  "every tunable that is laid over exists on Linux",
  { ignore: Deno.build.os !== "linux" },
  () => {
    for (const name of Object.keys(KUBELET_TUNABLES)) {
      assert.ok(Deno.statSync(`/proc/sys/${name}`).isFile, name);
    }
  },
);
