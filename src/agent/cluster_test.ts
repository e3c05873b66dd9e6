import assert from "node:assert/strict";
import { ApiObjects } from "../../test/fakes/api_objects.ts";
import { ApiPeer, status } from "../../test/fakes/api_peer.ts";
import { eventually, loggerOf, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { describeError } from "../std/mod.ts";
import { ClusterConnection, ClusterError } from "./cluster.ts";
import { Part } from "./listeners.ts";

function connection(path: string | undefined) {
  const { logger, lines } = loggerOf("info");
  const part = new Part("cluster", "not asked yet");
  const clock = new TestClock();
  return { part, lines, clock, cluster: new ClusterConnection(path, { logger, part, clock }) };
}

const never = new AbortController().signal;

Deno.test("without a kubeconfig there is no cluster, which is no fault", async () => {
  const { cluster, part, lines } = connection(undefined);
  assert.equal(await cluster.connected(never), undefined);
  await cluster.watchHealth(never);
  assert.equal(part.ok, true);
  assert.match(part.message, /no kubeconfig is set; packages are taken in and wait/);
  assert.deepEqual(lines, []);
  assert.equal(cluster.writes, 0);
  assert.throws(() => cluster.client(), (error) => {
    assert(error instanceof ClusterError);
    assert.deepEqual([error.reason, error.disposition], ["NoKubeconfig", "wait"]);
    return true;
  });
});

Deno.test("an API server that answers is there at once, through one client", () =>
  withDirectory(async (dir) => {
    await using api = new ApiObjects();
    Deno.writeTextFileSync(`${dir}/config`, api.peer.kubeconfig);
    const { cluster, part } = connection(`${dir}/config`);
    assert.equal(cluster.reached, false);
    const client = await cluster.connected(never);
    assert(client);
    assert.equal(cluster.reached, true);
    assert.equal(cluster.client(), client);
    assert.equal(cluster.kubeconfig, `${dir}/config`);
    assert.equal(part.ok, true);
    assert.equal(part.message, `the API server ${api.peer.url} answers`);
    await client.create({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "a", namespace: "default" },
    });
    assert.equal(cluster.writes, 1);
    client.close();
  }));

Deno.test("a kubeconfig that comes later, and one that is mended, are found by themselves", () =>
  withDirectory(async (dir) => {
    await using api = new ApiObjects();
    const path = `${dir}/config`;
    const { cluster, part, lines, clock } = connection(path);
    assert.throws(() => cluster.client(), (error) => {
      assert(error instanceof ClusterError);
      assert.deepEqual([error.reason, error.disposition], ["KubeconfigUnusable", "wait"]);
      assert(describeError(error).includes(path));
      return true;
    });
    const connecting = cluster.connected(never);
    await eventually(() => clock.slept.length > 2);
    assert.equal(part.ok, false);
    assert.match(part.message, /cannot be used.*packages are taken in and wait.*looks again/);
    Deno.writeTextFileSync(path, "no: kubeconfig");
    await eventually(() => lines.length === 2);
    Deno.writeTextFileSync(path, api.peer.kubeconfig);
    const client = await connecting;
    assert.equal(part.ok, true);
    assert.equal(lines.length, 2, "each reason is logged once");
    assert(clock.slept.every((ms) => ms === 5_000));
    client?.close();
  }));

Deno.test("a kubeconfig that leads to something else is followed when it changes, and back", () =>
  withDirectory(async (dir) => {
    await using api = new ApiObjects();
    await using portal = new ApiPeer(() => new Response("<html>sign in</html>"));
    const path = `${dir}/config`;
    Deno.writeTextFileSync(path, portal.kubeconfig);
    const { cluster, part, lines } = connection(path);
    const abort = new AbortController();
    const watching = cluster.watchHealth(abort.signal);
    for (const to of [api.peer, portal, api.peer]) {
      await eventually(() => !part.ok && /not a JSON object.*what is in its/.test(part.message));
      Deno.writeTextFileSync(path, to.kubeconfig);
      if (to === portal) continue;
      await eventually(() => part.message === `the API server ${to.url} answers`);
      assert.equal(part.ok, true);
      Deno.writeTextFileSync(path, portal.kubeconfig);
    }
    abort.abort();
    await watching;
    assert.equal(lines.length, 1, "each reason is logged once");
    cluster.client().close();
  }));

Deno.test("a kubeconfig that the agent makes itself is awaited, and it is said for what", () =>
  withDirectory((dir) => {
    const { logger } = loggerOf();
    const part = new Part("cluster", "not asked yet");
    const awaited = () => "Talos has no kubeconfig yet";
    const cluster = new ClusterConnection(`${dir}/config`, { logger, part, awaited });
    assert.throws(() => cluster.client(), (error) => {
      assert(error instanceof ClusterError);
      assert.deepEqual([error.reason, error.disposition], ["NoKubeconfig", "wait"]);
      assert.match(describeError(error), /no way to the cluster yet: Talos has no kubeconfig yet;/);
      return true;
    });
    Deno.writeTextFileSync(`${dir}/config`, "no: kubeconfig");
    assert.throws(() => cluster.client(), { reason: "KubeconfigUnusable" });
  }));

Deno.test("an API server that fails is asked again until it answers", () =>
  withDirectory(async (dir) => {
    await using api = new ApiObjects();
    api.intercept = () => status(503, "ServiceUnavailable", "starting");
    Deno.writeTextFileSync(`${dir}/config`, api.peer.kubeconfig);
    const { cluster, part, lines, clock } = connection(`${dir}/config`);
    const connecting = cluster.connected(never);
    await eventually(() => clock.slept.length > 3);
    assert.equal(part.ok, false);
    assert.match(part.message, /503: starting/);
    assert.equal(lines.length, 1);
    api.intercept = () => undefined;
    (await connecting)?.close();
    assert.equal(part.ok, true);
  }));

Deno.test("a signal ends the asking", () =>
  withDirectory(async (dir) => {
    const { cluster, clock } = connection(`${dir}/nothing`);
    const abort = new AbortController();
    const connecting = cluster.connected(abort.signal);
    await eventually(() => clock.slept.length > 1);
    abort.abort();
    assert.equal(await connecting, undefined);
  }));

Deno.test("a cluster that goes away is noticed, and noticed when it is back", () =>
  withDirectory(async (dir) => {
    await using api = new ApiObjects();
    Deno.writeTextFileSync(`${dir}/config`, api.peer.kubeconfig);
    const { cluster, part } = connection(`${dir}/config`);
    const abort = new AbortController();
    const watching = cluster.watchHealth(abort.signal);
    await eventually(() => part.ok);
    api.intercept = () => status(500, "InternalError", "etcd is gone");
    await eventually(() => !part.ok && part.message.includes("etcd is gone"));
    api.intercept = () => undefined;
    await eventually(() => part.ok);
    abort.abort();
    await watching;
    cluster.client().close();
  }));
