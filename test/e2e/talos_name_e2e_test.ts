import assert from "node:assert/strict";
import { node, SeedCluster } from "../fakes/seed_cluster.ts";
import { HELLO, ROOT } from "./support/agent.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { TalosApi } from "./support/talos_api.ts";

/*
 * The node's name as machined says it to the compiled agent: grpc-go with Talos' own definitions
 * answers. The API server takes everything and keeps what was written.
 */

/** Waits until the agent says of the name what is expected; gives whether that is good. */
async function says(agent: LocalAgent, text: RegExp): Promise<boolean> {
  let last = { ok: false, message: "" };
  await agent.eventually(
    `a node name that says ${text}`,
    async () => text.test((last = await agent.part("node name")).message) || undefined,
    30_000,
    () => last.message,
  );
  return last.ok;
}

async function shown(agent: LocalAgent): Promise<string> {
  return JSON.parse(await agent.get("/api/v1/status")).node;
}

Deno.test("the name comes when Talos has one, changes with it, and outlives machined", async () => {
  await using agent = new LocalAgent();
  const socket = `${agent.directory}/machine.sock`;
  const options = { unnamed: true, flags: [`--talos-socket=${socket}`] };
  await agent.started(options);
  const path = await agent.drop(HELLO);
  assert.equal((await agent.settled(path)).node, "");
  assert.equal(await says(agent, /machined does not answer on .*machine\.sock/), false);
  assert.match(await agent.get("/"), /<h1>Holdfast on this node<\/h1>/);
  await using api = await TalosApi.start(socket);
  assert.equal(await says(agent, /Talos has no name for this node yet/), false);
  await api.change({ nodename: "(none)" });
  assert.equal(await says(agent, /says a name of this node that is none/), false);
  assert.equal(await shown(agent), "");
  for (const nodename of ["cp-1", "cp-2.example.org"]) {
    await api.change({ nodename });
    assert.equal(await says(agent, new RegExp(`^${nodename}, as Talos says$`)), true);
    assert.equal(await shown(agent), nodename);
    await agent.settled(path, { where: ({ node }) => node === nodename });
  }
  await api.kill();
  const known = /^cp-2\.example\.org, as Talos said before; .*machined does not answer/;
  assert.equal(await says(agent, known), true);
  await agent.stop();

  await agent.started(options);
  assert.equal(await says(agent, known), true);
  await agent.stop();

  // While machined answers that there is none yet, the old one is for people only.
  await using next = await TalosApi.start(socket);
  await agent.started(options);
  assert.equal(await says(agent, /Talos has no name for this node yet/), false);
  assert.equal(await shown(agent), "cp-2.example.org");
  await next.change({ nodename: "cp-3" });
  assert.equal(await says(agent, /^cp-3, as Talos says$/), true);
});

Deno.test("a name that is given counts, and Talos is not asked for it", async () => {
  await using agent = new LocalAgent();
  const socket = `${agent.directory}/machine.sock`;
  await using api = await TalosApi.start(socket);
  await api.change({ nodename: "cp-1" });
  await agent.started({ flags: [`--talos-socket=${socket}`] });
  assert.equal(await says(agent, /^local$/), true);
  assert.equal(await shown(agent), "local");
});

Deno.test("nothing is written to the cluster without the name, or under the one before", async () => {
  await using agent = new LocalAgent();
  await using site = new SeedCluster();
  // So that the payload stays, and each name finds it.
  site.starts = false;
  const cluster = site.api;
  const socket = `${agent.directory}/machine.sock`;
  for (const name of ["cp-1", "cp-2", Deno.hostname()]) cluster.put(node(name));
  const kubeconfig = `${agent.directory}/kubeconfig`;
  await Deno.writeTextFile(kubeconfig, cluster.peer.kubeconfig);
  await using api = await TalosApi.start(socket);
  const flags = [`--talos-socket=${socket}`, `--kubeconfig=${kubeconfig}`];
  await agent.started({ unnamed: true, flags: [...flags, `--seed-dir=${ROOT}/dist/seed`] });
  const path = await agent.drop(HELLO);
  const waits = await agent.settled(path, { where: ({ reason }) => reason === "NodeNameUnknown" });
  assert.match(waits.message, /this node's name in the cluster is not known yet; .*Talos says it/);
  assert.deepEqual(cluster.writes, []);

  const holder = () => cluster.find("leases", "holdfast")?.spec.holderIdentity;
  const marked = () =>
    cluster.all("nodes").filter(({ metadata }) => metadata.annotations?.["holdfast.dev/seed"])
      .map(({ metadata }) => metadata.name);
  for (const [nodename, nodes] of [["cp-1", ["cp-1"]], ["cp-2", ["cp-1", "cp-2"]]] as const) {
    await api.change({ nodename });
    await agent.eventually("a lease", () => holder() === nodename || undefined, 60_000);
    await agent.eventually(
      "a node that has the seed",
      () => marked().length === nodes.length || undefined,
      60_000,
      () => JSON.stringify(marked()),
    );
    assert.deepEqual(marked(), nodes);
    assert.equal((await agent.verdict(path))?.node, nodename);
  }
});
