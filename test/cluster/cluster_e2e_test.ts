import assert from "node:assert/strict";
import { Cluster, ClusterError, type ClusterNode, layoutOf, leftovers, obstacle } from "./mod.ts";
import { eventually } from "../fakes/testing.ts";
import { hasCgroups } from "./cgroups.ts";

const reason = obstacle();
if (reason !== undefined) {
  Deno.stderr.writeSync(new TextEncoder().encode(`cluster_e2e_test.ts is skipped: ${reason}\n`));
}

/** Names of this run: others may run the same tests on this machine. */
const RUN = Deno.pid.toString(36);

function test(name: string, run: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, ignore: reason !== undefined, fn: run });
}

/** How long anything may take to become so, in milliseconds. */
const PATIENCE = 180_000;

const PAUSE = "registry.k8s.io/pause:3.10.1";

function pod(name: string, more: Record<string, unknown> = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "c", image: PAUSE }], ...more },
  });
}

const HOST_PATH = { volumes: [{ name: "h", hostPath: { path: "/var" } }] };

/** A setting of the machine, to which a kubelet writes 10. */
const PANIC = "/proc/sys/kernel/panic";
/** How long nothing is heard of a packet that is dropped, in milliseconds. */
const DROPPED = 2_000;

/** Tries a TCP connection with the node's bash; what it says, or "" when it worked. */
async function connect(
  node: ClusterNode,
  host: string,
  port: number,
  timeout = 30_000,
): Promise<string> {
  const script = `exec 3<>/dev/tcp/${host}/${port}`;
  const result = await node.exec("bash", ["-c", script], { timeout });
  return result.code === 124 ? "timed out" : result.stderr;
}

async function output(command: string, args: string[]): Promise<string> {
  return new TextDecoder().decode((await new Deno.Command(command, { args }).output()).stdout);
}

function namespaceOf(pid: number | string): string {
  try {
    return Deno.readLinkSync(`/proc/${pid}/ns/net`);
  } catch {
    return "";
  }
}

/** Fails when anything of the cluster is on the machine, by the kernel's own account. */
async function assertNothingLeft(cluster: Cluster, namespaces: string[]): Promise<void> {
  const { layout, subnet } = cluster.plan;
  assert.deepEqual(await leftovers(layout), []);
  const links = await output("ip", ["-o", "link"]);
  assert.ok(!new RegExp(`\\b${subnet.bridge}(n\\d+)?[:@]`).test(links), links);
  assert.ok(!(await output("nft", ["list", "tables"])).includes(`inet ${subnet.bridge}\n`));
  assert.ok(!Deno.readTextFileSync("/proc/self/mounts").includes(layout.state));
  assert.ok(!hasCgroups(layout.cgroup));
  await assert.rejects(Deno.lstat(layout.state), Deno.errors.NotFound);
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    assert.ok(!namespaces.includes(namespaceOf(name)), `process ${name} is still in a node`);
  }
}

test("one node runs a pod, is fenced in, survives a stop of the API server and leaves nothing", async (t) => {
  const panic = Deno.readTextFileSync(PANIC);
  const cluster = await Cluster.up({ name: `e2e-one-${RUN}` });
  const namespaces = cluster.nodes.map((node) => namespaceOf(node.pid));
  try {
    const [node] = cluster.nodes;
    assert.ok(node);
    await t.step("a pod with the preloaded image becomes Ready", async () => {
      await cluster.kubectl(["apply", "-f", "-"], { stdin: pod("p") });
      await cluster.kubectl(["wait", "--for=condition=Ready", "pod/p", "--timeout=180s"]);
    });
    await t.step("baseline is enforced, but not in kube-system", async () => {
      const make = (namespace: string) =>
        cluster.kubectl(["create", "--dry-run=server", "-n", namespace, "-f", "-"], {
          stdin: pod("h", HOST_PATH),
        });
      await assert.rejects(make("default"), /violates PodSecurity "baseline:latest"/);
      assert.match(await make("kube-system"), /created/);
    });
    await t.step("a NodePort is refused on 127.0.0.1 but works on the node's address", async () => {
      const ports = [{ port: 80, targetPort: 6443, nodePort: 30080 }];
      const selector = { app: "host" };
      await cluster.kubectl(["apply", "-n", "kube-system", "-f", "-"], {
        stdin: pod("host", { hostNetwork: true }),
      });
      await cluster.kubectl(["apply", "-n", "kube-system", "-f", "-"], {
        stdin: JSON.stringify({
          apiVersion: "v1",
          kind: "Service",
          metadata: { name: "api" },
          spec: { type: "NodePort", selector, ports },
        }),
      });
      await eventually(async () => await connect(node, node.ip, 30080, DROPPED) === "", PATIENCE);
      assert.match(await connect(node, "127.0.0.1", 30080), /refused/);
    });
    await t.step("what goes outside is dropped and counted", async () => {
      assert.equal(await cluster.outsidePackets(), 0);
      for (const address of ["198.51.100.1", cluster.plan.subnet.host]) {
        const before = await cluster.outsidePackets();
        assert.equal(await connect(node, address, 80, DROPPED), "timed out");
        assert.ok(await cluster.outsidePackets() > before, address);
      }
      const before = await cluster.outsidePackets();
      assert.notEqual((await node.exec("getent", ["hosts", "registry-1.docker.io"])).code, 0);
      assert.ok(await cluster.outsidePackets() > before, "a look-up is seen");
    });
    await t.step("the machine's own settings are untouched by the kubelet", async () => {
      const inside = (await node.exec("cat", [PANIC])).stdout.trim();
      assert.equal(inside, "10");
      assert.equal(Deno.readTextFileSync(PANIC), panic);
    });
    await t.step("a spawned process is in the node, is reached, and its end is known", async () => {
      const server = await node.spawn("/usr/bin/env", ["sleep", "1000"], { env: { MARK: "yes" } });
      assert.equal(namespaceOf(server.pid), namespaceOf(node.pid));
      // While one program takes another's place there is nothing to read.
      await eventually(() =>
        Deno.readTextFileSync(`/proc/${server.pid}/environ`).includes("MARK=yes")
      );
      await server.kill("SIGKILL");
      assert.deepEqual(await server.status, { code: 0, signal: 9 });
      const failing = await node.spawn("/bin/sh", ["-c", "echo out; echo err >&2; exit 7"]);
      assert.deepEqual(await failing.status, { code: 7, signal: 0 });
      assert.equal(Deno.readTextFileSync(failing.logPath), "out\nerr\n");
    });
    await t.step("a port of the node's loopback can be reached from the host", async () => {
      await using etcd = node.forward("127.0.0.1:2379");
      const response = await fetch(`http://${etcd.address}/health`);
      assert.match(await response.text(), /"health":"true"/);
    });
    await t.step("the API server stops, its stop is seen, and it starts again", async () => {
      await cluster.stop("apiserver", node, "SIGKILL");
      const stopped = (await node.processes()).find((process) => process.name === "apiserver");
      assert.equal(stopped?.running, false);
      await assert.rejects(cluster.readyNodes());
      await cluster.start("apiserver", node);
      await cluster.waitReady();
      const running = (await node.processes()).filter((process) => process.running);
      assert.deepEqual(running.map((process) => process.name).sort(), [...node.daemons].sort());
    });
    await t.step("a second cluster of the same name is refused", async () => {
      const again = Cluster.up({ name: `e2e-one-${RUN}` });
      await assert.rejects(
        again,
        (error) => error instanceof ClusterError && error.reason === "AlreadyUp",
      );
      assert.deepEqual(await cluster.readyNodes(), ["node1"]);
    });
  } finally {
    await cluster.down();
  }
  await assertNothingLeft(cluster, namespaces);
});

test("three nodes reach one another, and one comes back after a power cut", async (t) => {
  const cluster = await Cluster.up({ name: `e2e-three-${RUN}`, nodes: 3, registryMode: "mirror" });
  const namespaces = cluster.nodes.map((node) => namespaceOf(node.pid));
  try {
    const [first, , third] = cluster.nodes;
    assert.ok(first && third);
    await t.step("pods on every node are reached from every node", async () => {
      for (const node of cluster.nodes) {
        await cluster.kubectl(["apply", "-f", "-"], {
          stdin: pod(`p-${node.name}`, { nodeName: node.name }),
        });
      }
      await cluster.kubectl(["wait", "--for=condition=Ready", "pod", "--all", "--timeout=180s"]);
      const ips = await cluster.kubectl(["get", "pods", "-o", "jsonpath={.items[*].status.podIP}"]);
      assert.equal(ips.split(" ").length, 3);
      for (const node of cluster.nodes) {
        // Nothing listens in the pods: a refusal is their answer.
        for (const ip of ips.split(" ")) assert.match(await connect(node, ip, 9), /refused/);
      }
    });
    await t.step("the mirror is set on every node, and /var is each node's own", async () => {
      for (const node of cluster.nodes) {
        const hosts = await node.readFile("/etc/cri/conf.d/hosts/_default/hosts.toml");
        assert.match(hosts, /^server = "http:\/\/127\.0\.0\.1:31999"/);
        await Deno.writeTextFile(node.hostPath("/var/lib/mark"), node.name);
        assert.equal((await node.exec("cat", ["/var/lib/mark"])).stdout, node.name);
      }
    });
    await t.step("a worker's power is cut: its files stay, and it comes back", async () => {
      const sleeper = await third.spawn("/bin/sleep", ["1000"]);
      const ended = sleeper.status;
      await third.powerOff();
      assert.deepEqual(await ended, { code: -1, signal: 9 });
      assert.equal(namespaceOf(sleeper.pid), "");
      assert.equal(third.isOn, false);
      assert.equal(await third.readFile("/var/lib/mark"), "node3");
      await third.powerOn();
      namespaces.push(namespaceOf(third.pid));
      await cluster.kubectl([
        ...["wait", "--for=jsonpath={.status.containerStatuses[0].restartCount}=1"],
        ...["pod/p-node3", "--timeout=180s"],
      ]);
    });
    assert.equal(await cluster.outsidePackets(), 0);
  } finally {
    await cluster.down();
  }
  await assertNothingLeft(cluster, namespaces);
});

test("two clusters run side by side, and the end of one leaves the other alone", async () => {
  const names = [`e2e-a-${RUN}`, `e2e-b-${RUN}`];
  const [a, b] = await Promise.all(names.map((name) => Cluster.up({ name })));
  assert.ok(a && b);
  try {
    assert.notEqual(a.plan.subnet.bridge, b.plan.subnet.bridge);
    await a.down();
    assert.deepEqual(await leftovers(a.plan.layout), []);
    await b.kubectl(["apply", "-f", "-"], { stdin: pod("p") });
    await b.kubectl(["wait", "--for=condition=Ready", "pod/p", "--timeout=180s"]);
    assert.equal(await b.outsidePackets(), 0);
  } finally {
    await a.down();
    await b.down();
  }
  assert.deepEqual(await leftovers(b.plan.layout), []);
});

for (const signal of ["SIGKILL", "SIGINT"] as const) {
  test(`a start that ends by ${signal} leaves nothing after down`, async () => {
    const name = `e2e-${signal.slice(3).toLowerCase()}-${RUN}`;
    const main = new URL("main.ts", import.meta.url).pathname;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", main, "up", "--name", name],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const layout = layoutOf(name);
    await eventually(
      async () => (await leftovers(layout)).some((what) => /process/.test(what)),
      PATIENCE,
    );
    child.kill(signal);
    assert.equal((await child.status).success, false);
    if (signal === "SIGKILL") {
      assert.notDeepEqual(await leftovers(layout), []);
      await Cluster.down(name);
    }
    assert.deepEqual(await leftovers(layout), []);
  });
}
