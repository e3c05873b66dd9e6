import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import {
  AwakeClock,
  despitePauses,
  eventually,
  loggerOf,
  randomNumbers,
} from "../../test/fakes/testing.ts";
import type { KubeObject } from "../kube/mod.ts";
import { systemClock } from "../std/mod.ts";
import { newState, registryServiceAt, siteAccessOf, type ZarfState } from "../zarf/mod.ts";
import type { Facts } from "./cluster_facts.ts";
import { Part } from "./listeners.ts";
import { PullSecretKeeper } from "./pull_secret_keeper.ts";
import { Occasion } from "./signals.ts";

const STATE = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
const PATCH = "PATCH secrets/private-registry";

/** Facts that the test decides. */
class FakeFacts {
  synced = true;
  current: Facts = {};
  readonly #change = new Occasion();

  get changed(): AbortSignal {
    return this.#change.next;
  }

  set(state: ZarfState, clusterIP: string | undefined = "10.96.0.12", more: Facts = {}): void {
    const service = clusterIP === "" ? undefined : registryServiceAt(clusterIP);
    this.current = { access: siteAccessOf(state, service), ...more };
    this.#change.happen();
  }

  tell(): void {
    this.#change.happen();
  }
}

class Stage {
  readonly api = new ApiObjects();
  readonly facts = new FakeFacts();
  readonly part = new Part("pull secrets", "starts", true);
  readonly log = loggerOf("warn");

  /** A keeper that runs until the returned function is called. */
  start(random: () => number = () => 0): () => Promise<void> {
    const stop = new AbortController();
    const keeper = new PullSecretKeeper({
      kube: this.api.client,
      facts: this.facts,
      part: this.part,
      logger: this.log.logger,
      random,
    });
    const running = keeper.run(stop.signal);
    return async () => {
      stop.abort();
      await running;
    };
  }

  add(name: string, labels: Record<string, string> = {}): void {
    this.api.put({ ...namespace(name), metadata: { name, labels } });
  }

  secret(inNamespace: string, name = "private-registry"): AnyObject | undefined {
    return this.api.all("secrets").find(({ metadata }) =>
      metadata.namespace === inNamespace && metadata.name === name
    );
  }

  /** Who may pull from the node's address, as the Secret says. */
  auth(inNamespace: string): string | undefined {
    const encoded = this.secret(inNamespace)?.["data"]?.[".dockerconfigjson"];
    if (encoded === undefined) return undefined;
    const { auths } = JSON.parse(atob(encoded));
    return auths?.["127.0.0.1:31999"]?.auth && atob(auths["127.0.0.1:31999"].auth);
  }

  /** The namespaces that have a pull secret. */
  served(): string[] {
    return this.api.all("secrets").filter(({ metadata }) => metadata.name === "private-registry")
      .map(({ metadata }) => metadata.namespace ?? "");
  }
}

/** A cluster of some namespaces whose keeper is done with the first look. */
async function staged(
  action: (stage: Stage) => Promise<void>,
  names: readonly string[] = ["shop"],
): Promise<void> {
  const stage = new Stage();
  for (const name of ["default", "kube-system"]) stage.add(name, { "zarf.dev/agent": "ignore" });
  for (const name of names) stage.add(name);
  stage.facts.set(STATE);
  const end = stage.start();
  try {
    await eventually(() => stage.part.message === `right in ${names.length} namespaces`);
    stage.api.writes.length = 0;
    await action(stage);
  } finally {
    await end();
    await stage.api[Symbol.asyncDispose]();
  }
}

const goodAuth = `zarf-pull:${STATE.registryInfo.pullPassword}`;
const quiet = () => systemClock.sleep(800);

Deno.test("every namespace gets a pull secret, kube-system and those that say no do not", () =>
  staged(async (stage) => {
    assert.deepEqual(stage.served(), ["one", "two"]);
    for (const name of ["one", "two"]) assert.equal(stage.auth(name), goodAuth);
    assert.equal(stage.secret("one")?.["type"], "kubernetes.io/dockerconfigjson");
    assert.equal(stage.part.ok, true);
    await quiet();
    assert.deepEqual(stage.api.writes, [], "nothing is written while nothing changes");
    assert.deepEqual(stage.log.lines, []);
  }, ["one", "two"]));

Deno.test("a namespace that appears has its pull secret within a second", () =>
  staged(async (stage) => {
    for (let round = 0; round < 5; round++) {
      using clock = new AwakeClock();
      stage.add(`new-${round}`);
      await eventually(() => stage.secret(`new-${round}`));
      assert(clock.monotonic() < 1_000);
    }
    await quiet();
    assert.equal(stage.api.writes.length, 5);
  }));

const repairs: [what: string, change: (secret: AnyObject, api: ApiObjects) => void][] = [
  ["deleted", (secret, api) => api.remove(secret)],
  ["emptied", (secret, api) => api.put({ ...secret, data: {} })],
  ["edited", (secret, api) => api.put({ ...secret, data: { ".dockerconfigjson": btoa("{}") } })],
  ["robbed of its label", (secret, api) => {
    api.put({ ...secret, metadata: { name: "private-registry", namespace: "shop" } });
  }],
];
for (const [what, change] of repairs) {
  Deno.test(`a pull secret that was ${what} is put right with one write`, () =>
    staged(async (stage) => {
      const secret = stage.secret("shop");
      assert(secret);
      change(secret, stage.api);
      await eventually(() =>
        stage.auth("shop") === goodAuth &&
        stage.secret("shop")?.metadata.labels?.["app.kubernetes.io/managed-by"] === "zarf"
      );
      await quiet();
      assert.deepEqual(stage.api.writes, [PATCH]);
    }));
}

Deno.test("what is changed before a write was answered is put right too", () =>
  staged(async (stage) => {
    const { peer } = stage.api;
    const { answer } = peer;
    const held = Promise.withResolvers<void>();
    peer.answer = async (request, raw) => {
      const given = await answer(request, raw);
      if (request.method === "PATCH") await held.promise;
      return given;
    };
    const secret = stage.secret("shop");
    assert(secret);
    stage.api.remove(secret);
    await eventually(() => stage.auth("shop") === goodAuth);
    stage.api.put({ ...secret, data: {} });
    // So long that it has been seen, and all is quiet when the answer comes.
    await quiet();
    assert.deepEqual(stage.secret("shop")?.["data"], {});
    held.resolve();
    await eventually(() => stage.auth("shop") === goodAuth);
    await quiet();
    assert.deepEqual(stage.api.writes, [PATCH, PATCH]);
  }));

Deno.test("somebody else's Secret of that name is taken over, as by Zarf; its other keys stay", async () => {
  const stage = new Stage();
  for (const name of ["default", "kube-system"]) stage.add(name, { "zarf.dev/agent": "ignore" });
  stage.add("shop");
  stage.api.put({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "private-registry", namespace: "shop", labels: { team: "shop" } },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": btoa("{}"), more: btoa("mine") },
  });
  stage.facts.set(STATE);
  const end = stage.start();
  await eventually(() => stage.auth("shop") === goodAuth);
  await quiet();
  assert.deepEqual(stage.api.writes, [PATCH]);
  const { metadata, data } = stage.secret("shop") ?? assert.fail();
  assert.deepEqual(metadata.labels, { team: "shop", "app.kubernetes.io/managed-by": "zarf" });
  assert.equal(data.more, btoa("mine"));
  await end();
  await stage.api[Symbol.asyncDispose]();
});

Deno.test("when credentials change all namespaces are put right, each with one write", () =>
  staged(async (stage) => {
    const state = structuredClone(STATE);
    state.registryInfo.pullPassword = "another one";
    stage.facts.set(state);
    const names = ["a", "b", "c", "d", "e", "f", "g"];
    await eventually(() => names.every((one) => stage.auth(one) === "zarf-pull:another one"));
    stage.facts.tell();
    await quiet();
    assert.equal(stage.api.writes.length, names.length);
  }, ["a", "b", "c", "d", "e", "f", "g"]));

Deno.test("what a namespace says of itself is followed both ways, and nothing is taken away", () =>
  despitePauses(() =>
    staged(async (stage) => {
      stage.add("later", { "zarf.dev/agent": "ignore" });
      await quiet();
      assert.equal(stage.secret("later"), undefined);
      stage.add("later");
      await eventually(() => stage.secret("later"));
      stage.add("later", { "zarf.dev/agent": "skip" });
      const secret = stage.secret("later");
      assert(secret);
      await systemClock.sleep(200);
      stage.api.put({ ...secret, data: {} });
      await quiet();
      assert.deepEqual(stage.secret("later")?.["data"], {}, "it is theirs now");
      assert.deepEqual(stage.api.writes, [PATCH]);
    })
  ));

Deno.test("under policy labeled only namespaces that ask for it are served", () =>
  staged(async (stage) => {
    stage.facts.set({ ...STATE, agentMutationPolicy: "labeled" });
    stage.add("silent");
    stage.add("asking", { "zarf.dev/agent": "mutate" });
    await eventually(() => stage.secret("asking"));
    await quiet();
    assert.deepEqual(stage.api.writes, [PATCH]);
  }));

Deno.test("in a namespace that ends nothing is made", () =>
  staged(async (stage) => {
    const metadata = { name: "ending", deletionTimestamp: "2026-01-01T00:00:00Z" };
    stage.api.put({ ...namespace("ending"), metadata });
    await quiet();
    assert.deepEqual(stage.api.writes, []);
  }));

Deno.test("with a git server each namespace gets a secret for it, and loses nothing without", () =>
  staged(async (stage) => {
    const git = { address: "http://gitea.zarf:3000", pullUsername: "r", pullPassword: "geheim" };
    stage.facts.set({ ...STATE, gitServer: { ...STATE.gitServer, ...git } });
    await eventually(() => stage.secret("shop", "private-git-server"));
    assert.deepEqual(stage.secret("shop", "private-git-server")?.["data"], {
      username: btoa("r"),
      password: btoa("geheim"),
    });
    await quiet();
    assert.deepEqual(stage.api.writes, ["PATCH secrets/private-git-server"]);
    stage.facts.set(STATE);
    await quiet();
    assert.equal(stage.api.writes.length, 1);
  }));

Deno.test("where the registry asks for a certificate it is copied, but not over Zarf's own", () =>
  staged(async (stage) => {
    const { registryInfo } = STATE;
    const state = { ...STATE, registryInfo: { ...registryInfo, mtlsStrategy: "zarf-managed" } };
    stage.facts.set(state, undefined, { clientTls: { ca: "ca", cert: "cert", key: "key" } });
    await eventually(() => stage.secret("shop", "zarf-registry-client-tls"));
    await quiet();
    assert.deepEqual(stage.api.writes, ["PATCH secrets/zarf-registry-client-tls"]);
    assert.equal(stage.secret("zarf", "zarf-registry-client-tls"), undefined);
  }, ["shop", "zarf"]));

const obstacles: [message: string, prepare: (facts: FakeFacts) => void][] = [
  ["waits for the API server", (facts) => {
    facts.set(STATE);
    facts.synced = false;
  }],
  ["waits for the cluster's credentials", (facts) => facts.current = {}],
  ["waits for the registry's Service", (facts) => facts.set(STATE, "")],
];
for (const [message, prepare] of obstacles) {
  Deno.test(`nothing is written while it ${message}`, async () => {
    const stage = new Stage();
    stage.add("shop");
    prepare(stage.facts);
    const end = stage.start();
    await eventually(() => stage.part.message === message);
    await quiet();
    assert.deepEqual(stage.api.writes, []);
    assert.equal(stage.part.ok, true);
    stage.facts.synced = true;
    stage.facts.set(STATE);
    await eventually(() => stage.secret("shop"));
    await end();
    await stage.api[Symbol.asyncDispose]();
  });
}

Deno.test("three agents write once or twice for a namespace, and all of them find it right", () =>
  despitePauses(async () => {
    const stage = new Stage();
    for (const name of ["default", "kube-system"]) stage.add(name, { "zarf.dev/agent": "ignore" });
    stage.facts.set(STATE);
    let last = 0;
    // Who waits the shortest is another one each time, but never by less than a third of the wait.
    const random = () => (last = (last + 0.38) % 1);
    const ends = [stage.start(random), stage.start(random), stage.start(random)];
    try {
      await eventually(() => stage.part.message === "right in 0 namespaces");
      const names = Array.from({ length: 10 }, (_, index) => `n${index}`);
      for (const name of names) {
        stage.add(name);
        await eventually(() => stage.secret(name));
      }
      await quiet();
      assert(stage.api.writes.length <= 20, `${stage.api.writes.length} writes for 10 namespaces`);
    } finally {
      for (const end of ends) await end();
      await stage.api[Symbol.asyncDispose]();
    }
  }));

Deno.test("agents that have hundreds to do share them, though none tells another", () =>
  despitePauses(async () => {
    const stage = new Stage();
    for (const name of ["default", "kube-system"]) stage.add(name, { "zarf.dev/agent": "ignore" });
    stage.api.intercept = async ({ method }) => {
      if (method === "PATCH") await systemClock.sleep(10);
      return undefined;
    };
    stage.facts.set(STATE);
    const numbers = [1, 2, 3].map(randomNumbers);
    const ends = numbers.map((random) => stage.start(random));
    try {
      await eventually(() => stage.part.message === "right in 0 namespaces");
      const count = 400;
      for (let index = 0; index < count; index++) stage.add(`n${index}`);
      await eventually(() => stage.served().length === count, 60_000);
      await quiet();
      const { length } = stage.api.writes;
      assert(length < count * 1.7, `${length} writes for ${count} namespaces`);
    } finally {
      for (const end of ends) await end();
      await stage.api[Symbol.asyncDispose]();
    }
  }));

Deno.test("a namespace that refuses does not stop the others, and is tried again less and less", () =>
  staged(async (stage) => {
    let attempts = 0;
    stage.api.intercept = ({ method, path }) => {
      if (method !== "PATCH" || !path.includes("/namespaces/full")) return undefined;
      attempts++;
      return status(403, "Forbidden", "exceeded quota: secrets");
    };
    for (const name of ["full-1", "full-2", "other"]) stage.add(name);
    await eventually(() => stage.secret("other"));
    await eventually(() => !stage.part.ok && stage.part.message.includes(", and in 1 more"));
    assert.match(stage.part.message, /^cannot be written in full-\d, and in 1 more: .*quota/);
    await systemClock.sleep(1_500);
    assert(attempts <= 16, `${attempts} attempts`);
    assert.equal(stage.log.lines.length, 1, "a reason is said once");
    assert(!stage.log.lines.join().includes(STATE.registryInfo.pullPassword));
    stage.add("yet-another");
    await eventually(() => stage.secret("yet-another"));
    stage.api.intercept = () => undefined;
    await eventually(() => stage.part.ok && stage.part.message === "right in 5 namespaces");
  }));

Deno.test("an API server that asks for patience gets it, for all namespaces", () =>
  despitePauses(() =>
    staged(async (stage) => {
      let attempts = 0;
      stage.api.intercept = ({ method }) => {
        if (method !== "PATCH") return undefined;
        attempts++;
        return status(429, "TooManyRequests", "busy", { retryAfterSeconds: 1 });
      };
      for (let index = 0; index < 50; index++) stage.add(`n${index}`);
      await eventually(() => attempts > 0);
      await systemClock.sleep(700);
      assert(attempts <= 4, `${attempts} attempts`);
      stage.api.intercept = () => undefined;
      await eventually(() => stage.part.message === "right in 51 namespaces");
    })
  ));

Deno.test("a webhook that hangs holds up its own namespace alone", () =>
  staged(async (stage) => {
    const hung = new AbortController();
    stage.api.intercept = async ({ method, path }) => {
      if (method !== "PATCH" || !path.includes("/namespaces/hung/")) return undefined;
      await systemClock.sleep(60_000, hung.signal);
      return status(500, "InternalError");
    };
    stage.add("hung");
    await systemClock.sleep(100);
    stage.add("other");
    await eventually(() => stage.secret("other"));
    assert.equal(stage.secret("hung"), undefined);
    hung.abort();
  }));

Deno.test("who is fought over a Secret stops hurrying, and says so", () =>
  staged(async (stage) => {
    const spoil = (object: KubeObject) => {
      if (object.kind !== "Secret" || stage.auth("shop") !== goodAuth) return;
      queueMicrotask(() => stage.api.put({ ...object, data: {} }));
    };
    stage.api.onChange = spoil;
    const secret = stage.secret("shop");
    assert(secret);
    stage.api.put({ ...secret, data: {} });
    await eventually(() => !stage.part.ok, 10_000);
    assert.match(stage.part.message, /^somebody keeps changing them in shop; put right once a/);
    const { length } = stage.api.writes;
    assert(length <= 6, `${length} writes`);
    await systemClock.sleep(1_500);
    assert.equal(stage.api.writes.length, length);
  }));

Deno.test("a thousand namespaces are served by a few hands at once, and then it is quiet", async () => {
  const stage = new Stage();
  for (const name of ["default", "kube-system"]) stage.add(name, { "zarf.dev/agent": "ignore" });
  for (let index = 0; index < 1_000; index++) stage.add(`n${index}`);
  let [running, most] = [0, 0];
  stage.api.intercept = async ({ method }) => {
    if (method !== "PATCH") return undefined;
    most = Math.max(most, ++running);
    await systemClock.sleep(1);
    running--;
    return undefined;
  };
  stage.facts.set(STATE);
  const end = stage.start(Math.random);
  await eventually(() => stage.part.message === "right in 1000 namespaces", 60_000);
  const { length } = stage.api.writes;
  // Whoever has not heard of its own write for long writes again.
  assert(length >= 1_000 && length <= 1_010, `${length} writes`);
  assert(most <= 4, `${most} at once`);
  await quiet();
  assert.equal(stage.api.writes.length, length);
  await end();
  await stage.api[Symbol.asyncDispose]();
});
