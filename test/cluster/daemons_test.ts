import assert from "node:assert/strict";
import { CONTROL_PLANE, daemonCommand, type DaemonContext, WORKER } from "./daemons.ts";
import { layoutOf, subnetOf } from "./layout.ts";

const TOOLS = {
  kube: "/t/kube",
  etcd: "/t/etcd",
  containerd: "/t/containerd",
  shim: "/t/shim",
  ctr: "/t/ctr",
  node: "/t/node",
};

function context(more: Partial<DaemonContext> = {}): DaemonContext {
  return {
    layout: layoutOf("demo", "/s"),
    subnet: subnetOf(4),
    tools: TOOLS,
    node: 1,
    controlPlanes: 1,
    fsync: false,
    audit: false,
    ...more,
  };
}

/** The value of `--name=value`, or undefined. */
function flag(argv: readonly string[], name: string): string | undefined {
  return argv.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3);
}

Deno.test("each daemon is its own program, by an absolute path", () => {
  const programs = Object.fromEntries(
    [...CONTROL_PLANE, ...WORKER].map((name) => {
      const { argv } = daemonCommand(name, context());
      return [name, argv[0] === "/t/kube" ? argv[1] : argv[0]];
    }),
  );
  assert.deepEqual(programs, {
    etcd: "/t/etcd",
    apiserver: "kube-apiserver",
    "controller-manager": "kube-controller-manager",
    scheduler: "kube-scheduler",
    containerd: "/t/containerd",
    kubelet: "kubelet",
    proxy: "kube-proxy",
  });
});

Deno.test("etcd knows all members, and the API server all of etcd", () => {
  const three = context({ node: 2, controlPlanes: 3 });
  const etcd = daemonCommand("etcd", three).argv;
  assert.equal(flag(etcd, "name"), "node2");
  assert.equal(
    flag(etcd, "initial-cluster"),
    "node1=http://172.29.4.11:2380,node2=http://172.29.4.12:2380,node3=http://172.29.4.13:2380",
  );
  assert.equal(flag(etcd, "initial-advertise-peer-urls"), "http://172.29.4.12:2380");
  const apiserver = daemonCommand("apiserver", three).argv;
  assert.equal(
    flag(apiserver, "etcd-servers"),
    "http://172.29.4.11:2379,http://172.29.4.12:2379,http://172.29.4.13:2379",
  );
  assert.equal(flag(apiserver, "advertise-address"), "172.29.4.12");
});

Deno.test("etcd flushes only where it is asked to", () => {
  const lazy = (fsync: boolean) =>
    daemonCommand("etcd", context({ fsync })).argv.includes("--unsafe-no-fsync");
  assert.deepEqual([lazy(false), lazy(true)], [true, false]);
});

Deno.test("the API server notes who writes only where it is asked to", () => {
  const noted = (audit: boolean) =>
    flag(daemonCommand("apiserver", context({ audit })).argv, "audit-log-path");
  assert.deepEqual([noted(false), noted(true)], [undefined, "/var/log/audit.log"]);
});

Deno.test("a lease is used only among several control planes", () => {
  for (const name of ["controller-manager", "scheduler"] as const) {
    assert.equal(flag(daemonCommand(name, context()).argv, "leader-elect"), "false");
    const three = daemonCommand(name, context({ controlPlanes: 3 })).argv;
    assert.equal(flag(three, "leader-elect"), "true");
  }
});

Deno.test("only what ends by design is started again, so that a crash is seen", () => {
  const restarted = [...CONTROL_PLANE, ...WORKER]
    .filter((name) => daemonCommand(name, context()).restart);
  assert.deepEqual(restarted, ["controller-manager", "scheduler"]);
});

Deno.test("the kubelet registers under its node's name and address", () => {
  const { argv } = daemonCommand("kubelet", context({ node: 3 }));
  assert.equal(flag(argv, "hostname-override"), "node3");
  assert.equal(flag(argv, "node-ip"), "172.29.4.13");
});
