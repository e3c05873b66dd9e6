// Runs first: it takes minutes, in most of which Talos waits.
import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { exec } from "../../src/std/mod.ts";
import { obstacle } from "../cluster/mod.ts";
import { talosImagesPackage, TalosSite } from "../talos/mod.ts";
import { HELLO } from "./support/agent.ts";
import { sitePatches, TalosAgent } from "./support/talos_agent.ts";

/*
 * A Talos node loses its power again and again on the way from a blank disk to an application, and
 * goes on from what it has. docs/test-talos.md says what such a node is, and what it waits for.
 */

/** How long the way to the next moment may take after a boot, in milliseconds. */
const MOMENT_LIMIT = 300_000;
/** How often is looked whether it has come. */
const PAUSE = 5;

const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));

/** A node on its way. */
interface Way {
  readonly agent: TalosAgent;
  /** What machined has said since the last boot. */
  readonly console: () => string;
  /** Phase and message of the verdict of the example, `""` without one. */
  readonly hello: () => string;
}

/** What is waited for after a boot before the power goes. */
type Moment = readonly [what: string, reached: (way: Way) => boolean];

/** Before packages are there, in the order in which they come. */
const BARE: readonly Moment[] = [
  ["containerd runs", ({ console }) => /service\[containerd\]\(Running\)/.test(console())],
  ["the agent starts", ({ agent }) => agent.pid !== undefined],
];
/** Then, in the order in which they come. */
const MOMENTS: readonly Moment[] = [
  ["the packages are read", ({ hello }) => /^(Receiving|Accepted)/.test(hello())],
  ["etcd makes its log", ({ agent }) => exists(agent.node.hostPath("/var/lib/etcd/member/wal"))],
  ["etcd answers", ({ console }) => /service\[etcd\]\(Running\): Health/.test(console())],
  ["the kubelet starts", ({ console }) => /service\[kubelet\]\(Running\): Started/.test(console())],
  ["the API server starts", ({ agent }) => agent.node.pidsOf("kube-apiserver").length > 0],
  ["the registry's image is sent", ({ hello }) => /sending the registry's image/.test(hello())],
  ["the registry starts", ({ hello }) => /starting the registry|tidying up/.test(hello())],
];
const DEPLOYED: Moment = [
  "the application is deployed",
  ({ hello }) => /^(Deploying|Ready)/.test(hello()),
];

Deno.test({
  name: "a Talos node whose power fails at ten moments of its way always arrives",
  ignore: obstacle() !== undefined,
  fn: async () => {
    const images = await talosImagesPackage();
    // Two at once, since most of it is waiting. Both have to leave nothing, whatever becomes of one.
    const ways = await Promise.allSettled([
      arrives("talos-cuts", images, BARE, MOMENTS),
      arrives("talos-late-cut", images, [], [DEPLOYED]),
    ]);
    for (const way of ways) if (way.status === "rejected") throw way.reason;
  },
});

/** Cuts a new node's power at each moment, and has it arrive. */
async function arrives(
  name: string,
  images: string,
  bare: readonly Moment[],
  moments: readonly Moment[],
): Promise<void> {
  const patches = sitePatches("single-node");
  await using site = await TalosSite.create({ name, nodes: [{ type: "controlplane", patches }] });
  const agent = new TalosAgent(site.node(1));
  const { node } = agent;
  let file = "";
  let said = 0;
  const way: Way = {
    agent,
    console: () => node.console().slice(said),
    hello: () => {
      const verdict = agent.verdict(file);
      return verdict === undefined ? "" : `${verdict.phase} ${verdict.message}`;
    },
  };
  for (const moment of [...bare, ...moments]) {
    const [what] = moment;
    said = node.console().length;
    const started = performance.now();
    await node.boot();
    if (file === "" && !bare.includes(moment)) {
      await agent.serves(MOMENT_LIMIT);
      await agent.drop(images);
      file = await agent.drop(HELLO);
    }
    await comes(way, moment);
    say(`${name}: ${what}: ${((performance.now() - started) / 1_000).toFixed(1)} s after the boot`);
    await node.powerCut();
    if (/its log/.test(what)) await asIfEarlier(agent);
  }
  const started = performance.now();
  await node.boot();
  await agent.verdictIs(file, "Ready", MOMENT_LIMIT);
  await agent.helloAnswers(MOMENT_LIMIT);
  say(
    `${name}: it arrives: ${((performance.now() - started) / 1_000).toFixed(1)} s after the boot`,
  );
  assert.equal(await site.outsidePackets(), 0);
}

/**
 * Leaves of etcd what a cut some milliseconds earlier leaves, which is hardly met: a log without an
 * entry, on which an etcd waits for ever. Not when the agent has seen that there is more.
 */
async function asIfEarlier({ node }: TalosAgent): Promise<void> {
  const marker = await Deno.readTextFile(node.hostPath("/var/lib/holdfast/etcd-bootstrap.json"));
  if (/"seen"/.test(marker)) return void say("etcd's log was seen with entries");
  const directory = node.hostPath("/var/lib/etcd");
  await Deno.remove(`${directory}/member`, { recursive: true });
  const { code, stderr } = await exec(await ensureTool(TOOLS.etcdWal), {
    args: [directory, "void"],
    env: {},
    timeout: MOMENT_LIMIT,
  });
  assert.equal(code, 0, stderr);
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

async function comes(way: Way, [what, reached]: Moment): Promise<void> {
  const deadline = performance.now() + MOMENT_LIMIT;
  while (!reached(way)) {
    if (performance.now() > deadline) {
      const { hello, console, agent } = way;
      assert.fail(`${what}: never\n${hello()}\n${console().slice(-3_000)}\n${agent.tail()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
  }
}
