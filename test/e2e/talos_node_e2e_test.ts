import assert from "node:assert/strict";
import { layoutOf, leftovers, obstacle } from "../cluster/mod.ts";
import { TalosSite } from "../talos/mod.ts";
import { eventually, HELLO } from "./support/agent.ts";
import { TalosAgent, talosExample } from "./support/talos_agent.ts";

/*
 * The extension in a real Talos node that has nothing yet: no images for etcd and the kubelet, no
 * cluster. docs/test-talos.md says what such a node is.
 */

const NAME = "talos-node";
/** How soon after cri the service has to run, and how soon a node has to have come so far. */
const AFTER_CRI = 20_000;
const BOOT_LIMIT = 180_000;
/** Talos waits five seconds before it starts a service again. */
const RESTART_LIMIT = 90_000;
const START_LIMIT = 1_000;
const IDLE_LIMIT = 96 << 20;
/** How long the agent is left alone for its figures, and what it may take of that, in milliseconds. */
const QUIET = 30_000;
const QUIET_LIMIT = 1_500;
const LISTENS = /^node registry listens$/;

const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** When machined last said it, in milliseconds since 1970; its lines are exact to the second. */
function said(console: string, pattern: RegExp): number {
  const line = console.split("\n").findLast((each) => pattern.test(each));
  const time = /(\d{4})\/(\d\d)\/(\d\d) (\d\d:\d\d:\d\d)/.exec(line ?? assert.fail(console));
  assert(time !== null, line);
  return Date.parse(`${time[1]}-${time[2]}-${time[3]}T${time[4]}Z`);
}

Deno.test({
  name: "the extension runs in a Talos node before there is anything else",
  ignore: obstacle() !== undefined,
  fn: async (t) => {
    {
      await using site = await TalosSite.create({
        name: NAME,
        nodes: [{
          type: "controlplane",
          patches: ["single-node", "disconnected", "mirror"].map(talosExample),
        }],
      });
      await steps(t, site);
    }
    await t.step("nothing of the node is left", async () => {
      assert.deepEqual(await leftovers(layoutOf(NAME)), []);
    });
  },
});

async function steps(t: Deno.TestContext, site: TalosSite): Promise<void> {
  const node = site.node(1);
  const agent = new TalosAgent(node);
  const starts: number[] = [];
  let pid = 0;
  let manifest = "";

  await t.step("it runs seconds after cri, while etcd and the kubelet have no images", async () => {
    await node.boot();
    pid = await agent.runs(BOOT_LIMIT);
    await agent.serves(BOOT_LIMIT);
    const console = node.console();
    const cri = said(console, /service\[cri\]\(Running\): Health check successful/);
    const service = said(console, /service\[ext-holdfast\]\(Running\)/);
    assert(service - cri <= AFTER_CRI, console);
    for (const name of ["etcd", "kubelet"]) {
      assert.match(console, new RegExp(`pulling image \\S*/${name}:`));
      assert.doesNotMatch(console, new RegExp(`service\\[${name}\\]\\(Running\\)`));
    }
  });

  await t.step("it has the administrator's kubeconfig from machined", async () => {
    const config = await eventually("a kubeconfig", () => agent.kubeconfig(), BOOT_LIMIT);
    assert.match(config, /^\s*server: https:\/\/127\.0\.0\.1:7445$/m);
    assert.match(config, /name: admin@/);
  });

  await t.step("a dropped package is served", async () => {
    const path = await agent.drop(HELLO);
    // While the lease is asked for it says that.
    await eventually(
      "a verdict that waits for the cluster",
      () => /^waiting for the cluster/.test(agent.verdict(path)?.message ?? "") || undefined,
      BOOT_LIMIT,
      () => Promise.resolve(`${agent.verdict(path)?.message}\n${agent.tail()}`),
    );
    assert.equal(agent.verdict(path)?.phase, "Accepted");
    manifest = await helloManifest(agent);
  });

  await t.step("it comes back with its node after a power cut, and serves the same", async () => {
    await node.powerCut();
    assert.equal(agent.pid, undefined);
    await node.boot();
    pid = await agent.runs(BOOT_LIMIT);
    await agent.serves(BOOT_LIMIT);
    starts.push(agent.startedAt());
    assert.equal(await helloManifest(agent), manifest);
  });

  await t.step("killed, it is started again too", async () => {
    Deno.kill(pid, "SIGKILL");
    pid = await agent.runs(RESTART_LIMIT, pid);
    await agent.serves(RESTART_LIMIT);
    starts.push(agent.startedAt());
    assert.equal(await helloManifest(agent), manifest);
  });

  await t.step("left alone it takes little", async () => {
    const before = agent.processorTime();
    await new Promise((resolve) => setTimeout(resolve, QUIET));
    const taken = agent.processorTime() - before;
    // The least of a few: when the runtime collects what is free is its own affair.
    let resident = agent.resident();
    for (let look = 0; look < 12 && resident > IDLE_LIMIT; look++) {
      await new Promise((resolve) => setTimeout(resolve, 5_000));
      resident = agent.resident();
    }
    say(`idle: ${(resident / (1 << 20)).toFixed(1)} MiB, ${taken} ms of ${QUIET / 1_000} s`);
    assert(resident <= IDLE_LIMIT, `${resident} bytes`);
    assert(taken <= QUIET_LIMIT, `${taken} ms`);
  });

  await t.step("from its start to serving it takes less than a second", async () => {
    const took = await Promise.all(starts.map((time) => agent.fromTo(time, LISTENS, BOOT_LIMIT)));
    say(`start to serving: ${took.map((ms) => `${Math.round(ms)} ms`).join(", ")}`);
    // The least: the machine may have been busy with others.
    assert(Math.min(...took) <= START_LIMIT, took.join(" "));
  });

  await t.step("nothing was sent outside", async () => {
    assert.equal(await site.outsidePackets(), 0);
  });
}

async function helloManifest(agent: TalosAgent): Promise<string> {
  await using registry = agent.registry();
  const url = `http://${registry.address}/v2/library/hello/manifests/0.1.0?ns=docker.io`;
  const response = await fetch(url);
  const text = await response.text();
  assert.equal(response.status, 200, text);
  return text;
}
