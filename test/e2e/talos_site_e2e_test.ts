import assert from "node:assert/strict";
import { obstacle } from "../cluster/mod.ts";
import { PRIVATE, talosImagesPackage, TalosSite } from "../talos/mod.ts";
import { eventually, HELLO } from "./support/agent.ts";
import { sitePatches, TalosAgent } from "./support/talos_agent.ts";

/*
 * A site of real Talos nodes, from blank disks to an application. Nobody calls talosctl: there is not
 * even a configuration for it. docs/test-talos.md says what such a node is.
 */

/** How long the first node may take from its boot to the application, in milliseconds. */
const APPLICATION_LIMIT = 300_000;
/** How long the second may take to be one of the cluster. */
const JOIN_LIMIT = 180_000;

const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

Deno.test({
  name: "two blank Talos nodes and files on the first one only: a cluster with an application",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    const images = await talosImagesPackage();
    const before = machineSettings();
    await using site = await TalosSite.create({
      name: "talos-site",
      nodes: [
        { type: "controlplane", patches: sitePatches("single-node") },
        { type: "worker", patches: sitePatches("worker") },
      ],
    });
    const [first, second] = [1, 2].map((number) => new TalosAgent(site.node(number)));
    assert(first !== undefined && second !== undefined);
    // Before there is anything on the first one that it could have.
    await second.node.boot();
    await t.step("the first node comes up by itself", () => comesUp(first, images));
    await t.step(
      "the second joins with the first one's images, and its agent has rights of its own",
      () => joins(first, second),
    );
    await t.step("nothing was sent outside", async () => {
      assert.equal(await site.outsidePackets(), 0);
    });
    await t.step("the machine's own settings are untouched by machined and the kubelet", () => {
      assert.equal(Deno.readTextFileSync(`/proc/${site.node(1).pid}/root${PANIC}`).trim(), "10");
      assert.deepEqual(machineSettings(), before);
      assert.notEqual(Deno.readTextFileSync(PANIC).trim(), "10");
    });
  },
});

/** What the kubelet sets to 10 where it may. */
const PANIC = "/proc/sys/kernel/panic";

function machineSettings(): Record<string, string> {
  return Object.fromEntries(
    PRIVATE.map((name) => [name, Deno.readTextFileSync(`/proc/sys/${name}`)]),
  );
}

async function comesUp(agent: TalosAgent, images: string): Promise<void> {
  const started = performance.now();
  const since = () => `${((performance.now() - started) / 1_000).toFixed(0)} s`;
  const { node } = agent;
  await node.boot();
  await agent.serves(APPLICATION_LIMIT);
  const [base, hello] = [await agent.drop(images), await agent.drop(HELLO)];
  await agent.verdictIs(hello, "Ready", APPLICATION_LIMIT);
  say(`from the boot to the application: ${since()}`);
  await agent.verdictIs(base, "Ready", APPLICATION_LIMIT);
  await agent.helloAnswers(APPLICATION_LIMIT);
  const console = node.console();
  for (const service of ["etcd", "kubelet"]) {
    assert.match(console, new RegExp(`service\\[${service}\\]\\(Running\\): Health check`));
  }
  await agent.says(/^etcd bootstrap: there is a cluster/, APPLICATION_LIMIT);
  await agent.says(/^seed payload published$/, APPLICATION_LIMIT);
  assert((await agent.readyNodes()).includes("node1"));
}

async function joins(first: TalosAgent, agent: TalosAgent): Promise<void> {
  const { node } = agent;
  await agent.says(/^an image comes from a control plane$/, JOIN_LIMIT);
  await eventually(
    "two nodes to be Ready",
    async () => (await first.readyNodes()).length === 2 || undefined,
    JOIN_LIMIT,
    () => Promise.resolve(`${node.console().slice(-3_000)}\n${agent.tail()}`),
  );
  await agent.says(/^this node has a certificate of its own$/, JOIN_LIMIT);
  const { items }: RequestList = JSON.parse(
    await first.kubectl("get", "certificatesigningrequests", "-o", "json"),
  );
  const own = items.filter(({ spec }) => spec.username === "system:node:node2");
  assert(own.length > 0, JSON.stringify(items));
  for (const { status } of own) {
    assert(status.conditions?.some(({ type }) => type === "Approved"), JSON.stringify(own));
  }
  await agent.helloAnswers(JOIN_LIMIT);
}

interface RequestList {
  items: {
    spec: { username: string };
    status: { conditions?: { type: string }[] };
  }[];
}
