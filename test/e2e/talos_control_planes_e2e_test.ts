// Runs first: it takes minutes, in most of which Talos waits.
import assert from "node:assert/strict";
import { obstacle } from "../cluster/mod.ts";
import { talosImagesPackage, TalosSite } from "../talos/mod.ts";
import { eventually, HELLO } from "./support/agent.ts";
import { agentPatch, sitePatches, TalosAgent } from "./support/talos_agent.ts";

/*
 * Three blank control planes of real Talos that are switched on together. One cluster comes of it,
 * with nobody who calls talosctl, and of files that are dropped on one of them.
 */

const NAMES = ["node1", "node2", "node3"];
/** How long they may take to come up, and how long from the application until all are of one cluster. */
const APPLICATION_LIMIT = 420_000;
const JOIN_LIMIT = 180_000;

/** What each agent says of etcd when it has seen the cluster. */
const SEEN = /^etcd bootstrap: there is a cluster/;
const ASKED = /^etcd bootstrap: Talos was asked to make the cluster$/;

Deno.test({
  name: "three blank Talos control planes that start together become one cluster",
  ignore: obstacle() !== undefined,
  fn: async () => {
    const images = await talosImagesPackage();
    await using site = await TalosSite.create({
      name: "talos-planes",
      nodes: NAMES.map(() => ({ type: "controlplane", patches: sitePatches("single-node") })),
      shared: (all) => agentPatch(`BOOTSTRAP_CONTROL_PLANES=${all.join(",")}`),
    });
    const agents = site.nodes.map((node) => new TalosAgent(node));
    const [first] = agents;
    assert(first !== undefined);
    await Promise.all(agents.map(async (agent) => {
      await agent.node.boot();
      await agent.serves(APPLICATION_LIMIT);
    }));
    // The others have them from it.
    await first.drop(images);
    await first.verdictIs(await first.drop(HELLO), "Ready", APPLICATION_LIMIT);
    await eventually("three nodes to be Ready", async () => {
      return (await first.readyNodes()).length === NAMES.length || undefined;
    }, JOIN_LIMIT);
    for (const agent of agents.slice(1)) {
      await agent.says(/^an image comes from a control plane$/, JOIN_LIMIT);
    }
    // Each by its own API server, which is of the same cluster.
    for (const agent of agents) {
      await agent.helloAnswers(JOIN_LIMIT);
      assert.deepEqual((await agent.readyNodes()).sort(), NAMES);
      await agent.says(SEEN, JOIN_LIMIT);
    }
    // Where its own API server answers, an agent does not wait for KubePrism to find that out.
    const { pid } = first;
    assert(pid !== undefined);
    Deno.kill(pid, "SIGKILL");
    await first.runs(JOIN_LIMIT, pid);
    await eventually(
      "a way by the own API server",
      () => /^\s*server: https:\/\/127\.0\.0\.1:6443$/m.test(first.kubeconfig() ?? "") || undefined,
      JOIN_LIMIT,
      () => Promise.resolve(`${first.kubeconfig()?.match(/server: .*/)}\n${first.tail()}`),
    );
    const asked = agents.filter((agent) => agent.lines().some(({ msg }) => ASKED.test(msg)));
    assert.deepEqual(asked, [first]);
    assert.equal(await site.outsidePackets(), 0);
  },
});
