import assert from "node:assert/strict";
import { BUSYBOX_PREREQUISITES, DISK_PREREQUISITES, missingPackages } from "./prerequisites.ts";

Deno.test("missing files are named by the Debian packages that bring them, each once", async (t) => {
  const cases: { name: string; lacks: RegExp; expected: string[] }[] = [
    { name: "nothing is missing", lacks: /$^/, expected: [] },
    { name: "runc", lacks: /\/runc$/, expected: ["runc"] },
    {
      name: "all CNI plugins",
      lacks: /\/(usr\/lib\/cni|opt\/cni)/,
      expected: ["containernetworking-plugins"],
    },
    {
      name: "one CNI plugin",
      lacks: /\/portmap$/,
      expected: ["containernetworking-plugins"],
    },
    {
      name: "the network tools",
      lacks: /\/(nft|ip|iptables)$/,
      expected: ["nftables", "iproute2", "iptables"],
    },
  ];
  for (const { name, lacks, expected } of cases) {
    await t.step(name, () => {
      assert.deepEqual(missingPackages((path) => !lacks.test(path)), expected);
    });
  }
});

Deno.test("a command counts wherever the search path has it", () => {
  const has = (path: string) => path.startsWith("/usr/local/sbin/") || path.startsWith("/opt/cni/");
  assert.deepEqual(missingPackages(has), []);
});

Deno.test("a cluster does without the programs of a disk that can lose its power, and the other way round", () => {
  const lacksDiskPrograms = (path: string) => !/\/(nbd|mkfs|setsid)/.test(path);
  assert.deepEqual(missingPackages(lacksDiskPrograms), []);
  assert.deepEqual(missingPackages(lacksDiskPrograms, DISK_PREREQUISITES), [
    "nbdkit",
    "libnbd-bin",
    "e2fsprogs",
    "xfsprogs",
    "util-linux",
  ]);
  assert.deepEqual(missingPackages((path) => !path.endsWith("/runc"), DISK_PREREQUISITES), []);
});

Deno.test("a busybox for pods comes from the package whose busybox needs no libraries", () => {
  assert.deepEqual(missingPackages(() => false, BUSYBOX_PREREQUISITES), ["busybox-static"]);
  assert.deepEqual(missingPackages((path) => path === "/bin/busybox", BUSYBOX_PREREQUISITES), []);
});
