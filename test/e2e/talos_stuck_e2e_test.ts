import assert from "node:assert/strict";
import { HELLO } from "./support/agent.ts";
import { ApiPeer } from "../fakes/api_peer.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { StuckSocket } from "./support/stuck_socket.ts";
import { TalosApi } from "./support/talos_api.ts";

/*
 * A machined that takes connections and does not answer, or not to the end, in front of the compiled
 * agent: what is there is served, what is wrong is said, and it goes on when machined answers.
 */

const VERSION = { major: "1", minor: "36", gitVersion: "v1.36.3" };
const PATIENCE = 90_000;

/** Waits until a part of the agent says something. */
async function says(agent: LocalAgent, part: string, text: RegExp): Promise<void> {
  let last = "";
  await agent.eventually(
    `${part} that says ${text}`,
    async () => text.test(last = (await agent.part(part)).message) ? true : undefined,
    PATIENCE,
    () => last,
  );
}

Deno.test("a machined that does not answer keeps nothing from working, and is waited for", async () => {
  await using agent = new LocalAgent();
  await using peer = new ApiPeer(({ path }) =>
    path === "/version" ? Response.json(VERSION) : new Response("{}", { status: 404 })
  );
  await using api = await TalosApi.start(`${agent.directory}/real.sock`);
  await api.change({
    machineType: "controlplane",
    nodename: "cp-1",
    kubernetes: peer.kubeconfig,
  });
  const socket = `${agent.directory}/machine.sock`;
  using stuck = new StuckSocket(socket, api.socket, { bytes: 0 });
  const path = await agent.drop(HELLO);
  await agent.started({ flags: [`--talos-socket=${socket}`], unnamed: true });
  const waits = await agent.settled(path, {
    where: ({ reason }) => reason === "NoKubeconfig",
    timeout: PATIENCE,
  });
  assert.match(waits.message, /served on this node: there is no way to the cluster yet: /);
  await agent.eventually(
    "a served image",
    async () => {
      const response = await fetch(
        `http://${agent.addresses.registry}/v2/library/hello/manifests/0.1.0`,
      );
      await response.body?.cancel();
      return response.ok || undefined;
    },
  );
  await says(agent, "Talos", /State\/Get: no answer in time/);
  await says(agent, "node name", /State\/Get: no answer in time/);
  assert.equal(api.calls.length, 0);

  stuck.mode = {};
  await says(agent, "node name", /^cp-1, as Talos says$/);
  await says(agent, "Talos", /the control plane's kubeconfig is there/);
  await says(agent, "cluster", new RegExp(`${peer.url} answers`));
  assert.equal((await agent.stop()).code, 0);
});

Deno.test("of an answer that stops or breaks off within a message nothing is believed", async (t) => {
  await using agent = new LocalAgent();
  await using peer = new ApiPeer(() => Response.json(VERSION));
  await using api = await TalosApi.start(`${agent.directory}/real.sock`);
  await api.change({ machineType: "controlplane", nodename: "cp-1" });
  const socket = `${agent.directory}/machine.sock`;
  using stuck = new StuckSocket(socket, api.socket, { bytes: 0, then: "end" });
  await agent.started({ flags: [`--talos-socket=${socket}`], unnamed: true });
  await says(agent, "Talos", /machined does not answer on /);

  // Past the name and the machine's type, which are shorter, and within the kubeconfig.
  const large = JSON.stringify({ ...JSON.parse(peer.kubeconfig), x: "x".repeat(20_000) });
  await api.change({ kubernetes: large });
  for (
    const [then, text] of [
      ["hang", /what there is of KubernetesSecrets\.secrets\.talos\.dev did not come in time/],
      ["end", /machined does not answer on /],
    ] as const
  ) {
    await t.step(`it is the one that would ${then}`, async () => {
      stuck.mode = { bytes: 12_000, then };
      await says(agent, "node name", /^cp-1, as Talos says/);
      await says(agent, "Talos", text);
      assert.match((await agent.part("cluster")).message, /there is no way to the cluster yet/);
    });
  }
  stuck.mode = {};
  await says(agent, "cluster", new RegExp(`${peer.url} answers`));
  assert.equal((await agent.stop()).code, 0);
});
