import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { eventually, loggerOf } from "../../test/fakes/testing.ts";
import { TLS_SECRET } from "../admission/mod.ts";
import type { KubeObject } from "../kube/mod.ts";
import { transformImage } from "../refs/mod.ts";
import { type Clock, systemClock } from "../std/mod.ts";
import { AdmissionKeeper, type AdmissionKeeperOptions } from "./admission_keeper.ts";
import type { Facts } from "./cluster_facts.ts";
import { Part } from "./listeners.ts";
import { Occasion } from "./signals.ts";

const REGISTRY = "127.0.0.1:31999";
/** By how much time is faster than the machine's. */
const SPEED = 50;
/** Milliseconds in which nothing may happen. */
const QUIET = 300;

const hurried: Clock = {
  now: () => new Date(),
  monotonic: () => systemClock.monotonic() * SPEED,
  sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
};

const API = { apiVersion: "admissionregistration.k8s.io/v1", kind: "MutatingWebhookConfiguration" };
const ZARF = {
  ...API,
  metadata: { name: "zarf" },
  webhooks: [{ name: "agent-pod.zarf.dev" }],
} as KubeObject;

class FakeFacts {
  current: Facts = { policy: "all" };
  synced = true;
  readonly change = new Occasion();

  get changed(): AbortSignal {
    return this.change.next;
  }

  set(facts: Facts): void {
    this.current = facts;
    this.change.happen();
  }
}

/** One agent beside others. */
class Agent {
  readonly listener = new Part("admission webhook", "listens", true);
  readonly part = new Part("image rewriting", "starts");
  readonly facts = new FakeFacts();
  readonly log = loggerOf("info");
  readonly keeper: AdmissionKeeper;
  readonly #stop = new AbortController();
  #running = Promise.resolve();

  constructor(api: ApiObjects, name = "node1", settings: Partial<Settings> = {}) {
    this.keeper = new AdmissionKeeper({
      kube: api.client,
      nodeName: name,
      settings: {
        "admission-address": "127.0.0.1:7471",
        "image-mode": "rewrite",
        "mutation-exclusion": [],
        "registry-address": REGISTRY,
        ...settings,
      },
      facts: this.facts,
      listener: this.listener,
      part: this.part,
      logger: this.log.logger,
      clock: hurried,
    });
  }

  start(): this {
    this.#running = this.keeper.run(this.#stop.signal);
    return this;
  }

  says(ok: boolean, message: RegExp): Promise<boolean> {
    return eventually(() => this.part.ok === ok && message.test(this.part.message));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

type Settings = AdmissionKeeperOptions["settings"];

class Stage implements AsyncDisposable {
  readonly api = new ApiObjects();
  /** Whether an agent answers the API server. */
  answers = true;

  constructor(servers = ["10.0.0.1"]) {
    this.api.put(namespace("zarf"));
    this.setServers(servers);
    for (const at of [1, 2, 3]) {
      this.api.put({
        apiVersion: "v1",
        kind: "Node",
        metadata: { name: `node${at}` },
        status: { addresses: [{ type: "InternalIP", address: `10.0.0.${at}` }] },
      });
    }
    this.api.intercept = ({ method, path, body }) => {
      if (method !== "POST" || !path.endsWith("/pods")) return undefined;
      const pod = JSON.parse(body);
      const [container] = pod.spec.containers;
      if (this.answers && this.webhooks() > 0) {
        container.image = transformImage(REGISTRY, container.image);
      }
      return Response.json(pod);
    };
  }

  setServers(addresses: readonly string[]): void {
    this.api.put({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: "kubernetes", namespace: "default" },
      endpoints: addresses.map((address) => ({ addresses: [address] })),
    });
  }

  configuration() {
    return this.api.find("mutatingwebhookconfigurations", "holdfast");
  }

  webhooks(): number {
    return this.configuration()?.webhooks.length ?? 0;
  }

  /** Writes to the configuration so far. */
  get writes(): number {
    return this.api.writes.filter((one) => one.includes("mutatingwebhookconfigurations")).length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
  }
}

const pause = (ms = QUIET) => new Promise((resolve) => setTimeout(resolve, ms));

Deno.test("before there is a state nothing is written, then the webhooks are put in", async () => {
  await using stage = new Stage();
  await using agent = new Agent(stage.api);
  agent.facts.current = {};
  agent.start();
  await agent.says(true, /waits for Zarf's state/);
  await pause();
  assert.deepEqual(stage.api.writes, []);
  assert.equal(agent.keeper.policy, undefined);
  agent.facts.set({ policy: "all" });
  await agent.says(true, /the API server asks the agent of its node/);
  assert.equal(stage.webhooks(), 8);
  assert.equal(agent.keeper.policy, "all");
  assert.equal(agent.keeper.isProven, true);
  assert(stage.api.find("secrets", TLS_SECRET), "the certificate is made where there is none");
});

Deno.test("what was known at an earlier start is not acted upon", async () => {
  await using stage = new Stage();
  await using agent = new Agent(stage.api);
  agent.facts.synced = false;
  agent.start();
  await agent.says(true, /waits for the cluster/);
  await pause();
  assert.deepEqual(stage.api.writes, []);
});

Deno.test("three agents write one configuration, and nothing while nothing changes", async () => {
  await using stage = new Stage();
  await using a = new Agent(stage.api, "node1").start();
  await using b = new Agent(stage.api, "node2").start();
  await using c = new Agent(stage.api, "node3").start();
  for (const agent of [a, b, c]) await agent.says(true, /asks the agent/);
  assert.ok(stage.writes <= 3);
  const { writes } = stage.api;
  const before = writes.length;
  await pause(2 * QUIET);
  assert.equal(writes.length, before);
});

Deno.test("what somebody deletes or changes is put right, what is put beside stays", async () => {
  await using stage = new Stage();
  await using agent = new Agent(stage.api).start();
  await agent.says(true, /asks the agent/);
  const configuration = stage.configuration();
  assert(configuration);
  stage.api.remove(configuration);
  await eventually(() => stage.webhooks() === 8);
  stage.api.put({ ...configuration, webhooks: [{ name: "theirs.example.com" }] });
  await eventually(() => stage.webhooks() === 9);
  agent.facts.set({ policy: "labeled" });
  await eventually(() => stage.webhooks() === 17);
  assert.equal(agent.keeper.policy, "labeled");
});

Deno.test("where Zarf's agent is, it acts alone, until it goes", async () => {
  await using stage = new Stage();
  await using agent = new Agent(stage.api).start();
  await using other = new Agent(stage.api, "node2").start();
  await agent.says(true, /asks the agent/);
  stage.api.put(ZARF);
  await agent.says(true, /left to Zarf's own agent \(MutatingWebhookConfiguration zarf\)/);
  await eventually(() => stage.configuration() === undefined);
  assert.equal(agent.keeper.policy, undefined, "nothing is mended");
  await other.says(true, /left to Zarf's own agent/);
  const before = stage.writes;
  await pause();
  assert.equal(stage.writes, before);
  stage.api.remove(ZARF);
  await agent.says(true, /asks the agent/);
  assert.equal(stage.webhooks(), 8);
  assert.equal(agent.keeper.policy, "all");
});

Deno.test("an agent that cannot serve beside the only API server takes the webhooks out, and in again", async () => {
  await using stage = new Stage();
  await using agent = new Agent(stage.api).start();
  await using worker = new Agent(stage.api, "node2").start();
  await agent.says(true, /asks the agent/);
  // Nothing but the listener brings about the next look.
  await pause();
  stage.answers = false;
  agent.listener.set(false, "another program listens there");
  await agent.says(false, /taken out by the agent of node node1: another program listens there/);
  assert.equal(stage.webhooks(), 0);
  await worker.says(false, /taken out by the agent of node node1/);
  const before = stage.writes;
  await pause();
  assert.equal(stage.writes, before, "the others heed it");
  assert.equal(agent.keeper.policy, "all", "what is stored meanwhile is mended");
  assert.equal(agent.keeper.isProven, false);
  stage.answers = true;
  const { proven } = worker.keeper;
  agent.listener.set(true, "listens");
  await agent.says(true, /asks the agent/);
  assert.equal(stage.webhooks(), 8);
  await eventually(() => proven.aborted);
});

Deno.test("a listener that is closed for a moment, or beside others, changes nothing", async (t) => {
  const cases: [string, (stage: Stage) => void][] = [
    ["another agent answers", () => {}],
    ["there are several API servers", (stage) => {
      stage.setServers(["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
      stage.answers = false;
    }],
    ["the API server is another node's", (stage) => {
      stage.setServers(["10.0.0.2"]);
      stage.answers = false;
    }],
    ["where it is cannot be told", (stage) => {
      stage.setServers(["192.0.2.1"]);
      stage.answers = false;
    }],
  ];
  for (const [name, change] of cases) {
    await t.step(name, async () => {
      await using stage = new Stage();
      await using agent = new Agent(stage.api).start();
      await agent.says(true, /asks the agent/);
      change(stage);
      agent.listener.set(false, "closed");
      const before = stage.writes;
      await pause(2 * QUIET);
      assert.equal(stage.writes, before);
      assert.equal(stage.webhooks(), 8);
    });
  }
});

Deno.test("webhooks that a node took out which is not the API server's any more are put in", async () => {
  await using stage = new Stage();
  await using agent = new Agent(stage.api).start();
  await agent.says(true, /asks the agent/);
  stage.answers = false;
  agent.listener.set(false, "closed");
  await agent.says(false, /taken out/);
  stage.setServers(["10.0.0.2"]);
  stage.answers = true;
  await using other = new Agent(stage.api, "node2").start();
  await other.says(true, /asks the agent/);
  assert.equal(stage.webhooks(), 8);
});

Deno.test("agents with different settings stop changing each other's webhooks, and say so", async () => {
  await using stage = new Stage();
  await using a = new Agent(stage.api, "node1").start();
  await using b = new Agent(stage.api, "node2", { "mutation-exclusion": ["flux"] }).start();
  await eventually(() =>
    [a, b].some(({ part }) => !part.ok && /agents with other settings/.test(part.message))
  );
  await eventually(async () => {
    const before = stage.writes;
    await pause();
    return before > 2 && stage.writes === before;
  });
  assert.ok(stage.writes <= 10, String(stage.writes));
});

Deno.test("in mode mirror the webhooks go once, and somebody else's choice stands", async () => {
  await using stage = new Stage();
  await using rewriting = new Agent(stage.api).start();
  await rewriting.says(true, /asks the agent/);
  const mirror = new Agent(stage.api, "node2", { "image-mode": "mirror" });
  await mirror.keeper.run(new AbortController().signal);
  assert.match(mirror.part.message, /not rewritten in this mode/);
  assert(stage.api.writes.includes("DELETE mutatingwebhookconfigurations/holdfast"));
  await eventually(() => stage.webhooks() === 8);
});

Deno.test("without the right to, it is left to others; other failures are said and tried again", async () => {
  await using stage = new Stage();
  const { intercept } = stage.api;
  let reason: "Forbidden" | "InternalError" | undefined = "Forbidden";
  stage.api.intercept = (request) =>
    reason !== undefined && request.method === "POST" && request.path.includes("mutatingwebhook")
      ? status(reason === "Forbidden" ? 403 : 500, reason, "no")
      : intercept(request);
  await using agent = new Agent(stage.api).start();
  await agent.says(true, /left to agents with more rights/);
  reason = "InternalError";
  agent.facts.change.happen();
  await agent.says(false, /cannot be kept right.*no/);
  reason = undefined;
  await agent.says(true, /asks the agent/);
});

Deno.test("an API server that asks nobody is said, and asked for a proof again", async () => {
  await using stage = new Stage();
  stage.answers = false;
  await using agent = new Agent(stage.api).start();
  await agent.says(false, /was not seen to ask an agent: a trial pod came back unchanged/);
  assert.equal(agent.keeper.isProven, false);
  const warnings = () => agent.log.lines.filter((line) => line.startsWith("warn")).length;
  await pause();
  assert.equal(warnings(), 1, "it is logged once");
  const { proven } = agent.keeper;
  stage.answers = true;
  await agent.says(true, /asks the agent/);
  assert.equal(proven.aborted, true);
});
