import assert from "node:assert/strict";
import { ApiPeer } from "../fakes/api_peer.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { TalosApi } from "./support/talos_api.ts";

/*
 * The compiled agent's way to the cluster on a control plane of Talos: machined's API is grpc-go with
 * Talos' own definitions, the API server answers what is asked first.
 */

const VERSION = { major: "1", minor: "36", gitVersion: "v1.36.3" };
const WATCH = "/cosi.resource.State/Watch";

/** An API server that says its version and has nothing. */
function apiServer(): ApiPeer {
  return new ApiPeer(({ path }) =>
    path === "/version" ? Response.json(VERSION) : new Response("{}", { status: 404 })
  );
}

/** Waits until a part of the agent says something. */
async function says(agent: LocalAgent, part: string, text: RegExp): Promise<void> {
  let last = "";
  await agent.eventually(
    `${part} that says ${text}`,
    async () => text.test(last = (await agent.part(part)).message) ? true : undefined,
    30_000,
    () => last,
  );
}

Deno.test("on a control plane the agent takes Talos' kubeconfig, and follows when it changes", async () => {
  await using agent = new LocalAgent();
  const socket = `${agent.directory}/machine.sock`;
  await agent.started({ flags: [`--talos-socket=${socket}`] });
  await says(agent, "Talos", /machined does not answer on .*machine\.sock/);
  await using first = apiServer();
  await using second = apiServer();
  await using api = await TalosApi.start(socket);
  await says(agent, "Talos", /does not know yet what it is/);
  await api.change({ machineType: "controlplane" });
  await says(agent, "Talos", /no kubeconfig yet/);
  await api.change({ kubernetes: first.kubeconfig });
  await says(agent, "cluster", new RegExp(`${first.url} answers`));
  const [kept = "none"] = directories(agent);
  assert.equal((Deno.statSync(`${agent.directory}/${kept}`).mode ?? 0) & 0o777, 0o700);
  // The old one counts while it is good, as when a certificate is renewed in time.
  await api.change({ kubernetes: second.kubeconfig });
  await first.stop();
  await says(agent, "cluster", new RegExp(`${second.url} answers`));
  await api.change({ fail: { method: WATCH, code: 14, message: "no" }, drop: true });
  await says(agent, "Talos", /Watch: no/);
  await using third = apiServer();
  await api.change({ kubernetes: third.kubeconfig });
  await api.change({ fail: { method: WATCH } });
  await second.stop();
  await says(agent, "cluster", new RegExp(`${third.url} answers`));
  for (const secret of ["certificate-authority-data", "localhostAdminKubeconfig"]) {
    assert.equal(agent.logged(new RegExp(secret)).length, 0, "nothing of it is logged");
  }
  assert.equal((await agent.stop()).code, 0);
  assert.deepEqual(directories(agent), [], "nothing of it is left");
});

Deno.test("on a worker it turns to the kubelet, and a kubeconfig that is given counts", async () => {
  await using peer = apiServer();
  await using agent = new LocalAgent();
  const socket = `${agent.directory}/machine.sock`;
  await using api = await TalosApi.start(socket);
  await api.change({ machineType: "worker", kubernetes: peer.kubeconfig });
  const kubelet = `${agent.directory}/kubelet.conf`;
  const flags = [`--talos-socket=${socket}`, `--kubelet-kubeconfig=${kubelet}`];
  await agent.started({ flags });
  await says(agent, "Talos", /a worker; it gets its rights as the kubelet/);
  await says(
    agent,
    "node certificate",
    /^this node's kubelet has not joined a cluster yet; [^/]*$/,
  );
  await Deno.writeTextFile(kubelet, peer.kubeconfig);
  await says(agent, "node certificate", /no certificate of a kubelet; it may not have joined/);
  await agent.stop();
  const given = `${agent.directory}/kubeconfig`;
  await Deno.writeTextFile(given, peer.kubeconfig);
  const calls = api.calls.length;
  await agent.started({ flags: [`--talos-socket=${socket}`, `--kubeconfig=${given}`] });
  await says(agent, "cluster", new RegExp(`${peer.url} answers`));
  assert.equal(api.calls.length, calls, "Talos is not asked");
});

function directories(agent: LocalAgent): string[] {
  return [...Deno.readDirSync(agent.directory)].map(({ name }) => name)
    .filter((name) => name.startsWith("holdfast-access-"));
}
