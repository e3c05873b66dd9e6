import assert from "node:assert/strict";
import { issueCertificates } from "../../src/admission/mod.ts";
import { ETCD_FAILPOINTS } from "../../src/agent/mod.ts";
import { pem } from "../fakes/api_peer.ts";
import { EtcdMachine, SITE_SECRETS } from "./support/etcd_site.ts";

/*
 * The beginning of a site's cluster by compiled agents: machined's API is grpc-go with Talos' own
 * definitions, over an etcd that is as machined keeps it.
 */

/** An address that no machine has (RFC 5737). */
const ADDRESS = "192.0.2.1";

Deno.test("a single machine begins its cluster, once, when its Talos is ready", async () => {
  await using machine = await EtcdMachine.blank({
    address: ADDRESS,
    talos: { etcdWaits: "time sync", etcdImage: false },
  });
  await machine.start();
  await machine.says(/no cluster is made yet: etcd: Waiting: Waiting for time sync/);
  assert.equal(machine.bootstraps, 0);
  await machine.api.change({ etcdWaits: "" });
  await machine.says(/Talos makes the cluster; etcd: Preparing/);
  // The package with etcd's image comes later.
  await machine.agent.stop("SIGKILL");
  await machine.start();
  await machine.says(/Talos makes the cluster; etcd: Preparing/);
  await machine.api.change({ etcdImage: true });
  await machine.says(/there is a cluster: etcd has/);
  assert.equal(machine.bootstraps, 1, machine.agent.log());
  // Whatever becomes of its etcd: it is not for an agent to begin a second time.
  await machine.agent.stop();
  await machine.api.change({ files: ["/var/lib/etcd/"], restart: true });
  await machine.start();
  await machine.says(/there is a cluster: etcd has/);
  await machine.stays(1);
});

Deno.test("what a machine shows of a former life, or a wrong setting, keeps it from beginning", async () => {
  const rows: [name: string, talos: Parameters<typeof EtcdMachine.blank>[0]["talos"], RegExp][] = [
    ["data of etcd", { files: ["/var/lib/etcd/member/"] }, /there is a cluster: etcd has data/],
    [
      "a kubelet's certificate",
      { files: ["/var/lib/etcd/", "/var/lib/kubelet/pki/kubelet-client-current.pem"] },
      /given this machine's kubelet a certificate/,
    ],
    ["a member", { etcd: ["other"] }, /there is a cluster: etcd has the members other/],
    [
      "members that no list names",
      { etcd: [`a@${ADDRESS}`, "b@192.0.2.2", "c@[2001:db8::3]"] },
      /there is a cluster, but etcd has 3 members and .* all: b \(192\.0\.2\.2\), c \(2001:db8::3\): a first/,
    ],
    ["a worker", { machineType: "worker" }, /is a worker/],
    [
      "an endpoint of several machines",
      { site: { ...SITE_SECRETS, endpoint: "https://192.0.2.100:6443" } },
      /192\.0\.2\.100 is no address of this machine; name the site's control planes/,
    ],
    [
      "another control plane",
      { discovered: [{ name: "b", addresses: ["192.0.2.2"], machineType: "controlplane" }] },
      /the control plane b \(192\.0\.2\.2\), which is not among/,
    ],
  ];
  await Promise.all(rows.map(async ([name, talos, text]) => {
    await using machine = await EtcdMachine.blank({ address: ADDRESS, talos: talos ?? {} });
    await machine.start();
    await machine.says(text);
    await machine.stays(0, name);
  }));
});

/** Something with a certificate, on the loopback, as long as it is used. */
function withCertificate(certificate: { readonly cert: string; readonly key: string }) {
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, ...certificate },
    () => new Response(null, { status: 401 }),
  );
}

Deno.test("an API server at the cluster's endpoint is a cluster, and anything like it is waited for", async () => {
  const rows: [{ readonly cert: string; readonly key: string }, RegExp][] = [
    [
      { cert: pem("server.crt"), key: pem("server.key") },
      /there is a cluster: an API server answers on 127\.0\.0\.1:\d+/,
    ],
    [issueCertificates(), /no cluster is made yet: 127\.0\.0\.1:\d+ is no API server of this site/],
  ];
  await Promise.all(rows.map(async ([certificate, text]) => {
    const server = withCertificate(certificate);
    const endpoint = `https://127.0.0.1:${server.addr.port}`;
    await using machine = await EtcdMachine.blank({
      address: ADDRESS,
      controlPlanes: [ADDRESS],
      talos: { site: { ...SITE_SECRETS, endpoint } },
    });
    await machine.start();
    await machine.says(text);
    await machine.stays(0);
    await server.shutdown();
  }));
});

Deno.test("an agent that cannot know what it did before does nothing", async () => {
  await using machine = await EtcdMachine.blank({ address: ADDRESS });
  await Deno.mkdir(machine.agent.dataDir, { mode: 0o700 });
  const marker = `${machine.agent.dataDir}/etcd-bootstrap.json`;
  await Deno.writeTextFile(marker, '{"version":1,"boo');
  await machine.start();
  await machine.says(/etcd-bootstrap\.json cannot be read, so it is not known whether/);
  await machine.stays(0);
  await Deno.remove(marker);
  await machine.says(/there is a cluster: etcd has/);
});

Deno.test("killed at any step of it, an agent ends up with one cluster", async () => {
  for (const failpoint of ETCD_FAILPOINTS) {
    // What is remembered is written at the first look, before Talos is asked, and at the end.
    for (const time of failpoint.startsWith("etcd.marker") ? [1, 2, 3] : [1]) {
      await using machine = await EtcdMachine.blank({ address: ADDRESS });
      await machine.start({ env: { HOLDFAST_FAILPOINT: `${failpoint}:${time}` } });
      await machine.agent.ended();
      await machine.start();
      await machine.says(/there is a cluster: etcd has/);
      assert.equal(machine.bootstraps, 1, `${failpoint}:${time}\n${machine.agent.log()}`);
    }
  }
});

Deno.test("a machine that starts anew before there is data is asked anew", async () => {
  await using machine = await EtcdMachine.blank({
    address: ADDRESS,
    talos: { etcdImage: false },
  });
  await machine.start();
  await machine.says(/Talos makes the cluster/);
  await machine.agent.stop("SIGKILL");
  await machine.api.change({ restart: true });
  await machine.start();
  await machine.says(/Talos makes the cluster/);
  await machine.api.change({ etcdFails: "Failed to pull image" });
  await machine.says(/Talos makes the cluster; etcd: Preparing/);
  await machine.api.change({ etcdImage: true });
  await machine.says(/there is a cluster: etcd has/);
  assert.equal(machine.bootstraps, 3);
});
