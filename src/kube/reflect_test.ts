import assert from "node:assert/strict";
import {
  type Answer,
  ApiPeer,
  configMap,
  Pipe,
  type SeenRequest,
  status,
} from "../../test/fakes/api_peer.ts";
import { freePort } from "../../test/fakes/free_address.ts";
import type { Snapshot } from "./types.ts";

const MAPS = { apiVersion: "v1", kind: "ConfigMap" } as const;

/** A server with some ConfigMaps, whose watches the test feeds. */
class World {
  items = [configMap("one", "1")];
  version = "10";
  readonly watches: { readonly from: string | null; readonly pipe: Pipe }[] = [];
  lists = 0;
  refuse: ((request: SeenRequest) => Response | undefined) | undefined;

  readonly answer: Answer = (request) => {
    const refusal = this.refuse?.(request);
    if (refusal !== undefined) return refusal;
    if (request.query.get("watch") === null) {
      this.lists++;
      return Response.json({ metadata: { resourceVersion: this.version }, items: this.items });
    }
    const pipe = new Pipe();
    this.watches.push({ from: request.query.get("resourceVersion"), pipe });
    return new Response(pipe.stream);
  };

  async watch(count: number): Promise<Pipe> {
    await until(() => this.watches.length >= count);
    return this.watches[count - 1]?.pipe ?? assert.fail();
  }
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 30_000;
  while (!condition()) {
    assert.ok(performance.now() < end, "it did not happen");
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function next(snapshots: AsyncGenerator<Snapshot>): Promise<string> {
  const { value } = await snapshots.next();
  const snapshot = value as Snapshot | undefined;
  return [...snapshot ?? []].map(([key, object]) => `${key}@${object.metadata.resourceVersion}`)
    .sort().join(" ");
}

Deno.test("everything is there after the list, then after each batch of changes", async () => {
  const world = new World();
  await using peer = new ApiPeer(world.answer);
  const stop = new AbortController();
  const snapshots = peer.client.reflect(MAPS, { signal: stop.signal, labelSelector: "a=b" });
  assert.equal(await next(snapshots), "a/one@1");
  const pipe = await world.watch(1);
  assert.equal(world.watches[0]?.from, "10");
  pipe.event("ADDED", configMap("two", "11"));
  pipe.event("MODIFIED", configMap("one", "12"));
  pipe.event("ADDED", configMap("three", "13"));
  pipe.event("DELETED", configMap("two", "14"));
  assert.equal(await next(snapshots), "a/one@12 a/three@13");
  pipe.event("DELETED", configMap("one", "15"));
  assert.equal(await next(snapshots), "a/three@13");
  assert.ok(peer.seen.every(({ query }) => query.get("labelSelector") === "a=b"));
  stop.abort();
  assert.equal((await snapshots.next()).done, true);
});

Deno.test("an empty list is a snapshot too", async () => {
  const world = new World();
  world.items = [];
  await using peer = new ApiPeer(world.answer);
  const snapshots = peer.client.reflect(MAPS, { signal: new AbortController().signal });
  const { value } = await snapshots.next();
  assert.equal((value as Snapshot).size, 0);
  await snapshots.return(undefined);
});

Deno.test("a lost watch goes on after the last version, bookmarks included", async () => {
  const world = new World();
  await using peer = new ApiPeer(world.answer);
  const snapshots = peer.client.reflect(MAPS, { signal: new AbortController().signal });
  await next(snapshots);
  const first = await world.watch(1);
  first.event("BOOKMARK", { kind: "ConfigMap", metadata: { resourceVersion: "77" } });
  await new Promise((resolve) => setTimeout(resolve, 50));
  first.breakOff();
  const second = await world.watch(2);
  assert.equal(world.watches[1]?.from, "77");
  assert.equal(world.lists, 1);
  second.event("ADDED", configMap("two", "78"));
  assert.equal(await next(snapshots), "a/one@1 a/two@78");
  await snapshots.return(undefined);
});

Deno.test("a version that is too old is listed anew, and what went in between is gone", async () => {
  const world = new World();
  await using peer = new ApiPeer(world.answer);
  const snapshots = peer.client.reflect(MAPS, { signal: new AbortController().signal });
  await next(snapshots);
  const pipe = await world.watch(1);
  world.items = [configMap("two", "20")];
  world.version = "21";
  const expired = { kind: "Status", code: 410, reason: "Expired", message: "too old" };
  pipe.event("ERROR", expired);
  assert.equal(await next(snapshots), "a/two@20");
  await world.watch(2);
  assert.equal(world.watches[1]?.from, "21");
  await snapshots.return(undefined);
});

Deno.test("listing anew without a change is not a change", async () => {
  const world = new World();
  await using peer = new ApiPeer(world.answer);
  const snapshots = peer.client.reflect(MAPS, { signal: new AbortController().signal });
  await next(snapshots);
  (await world.watch(1)).event("ERROR", { kind: "Status", code: 410, reason: "Expired" });
  const pipe = await world.watch(2);
  assert.equal(world.lists, 2);
  pipe.event("ADDED", configMap("two", "22"));
  assert.equal(await next(snapshots), "a/one@1 a/two@22", "the next snapshot is the real change");
  await snapshots.return(undefined);
});

Deno.test("it waits for a server that refuses, and for one that is not there yet", async () => {
  const world = new World();
  let refusals = 2;
  world.refuse = () => refusals-- > 0 ? status(503, "ServiceUnavailable") : undefined;
  // One that nobody is given while no server is there.
  const port = freePort();
  await using peer = new ApiPeer(world.answer, {}, port);
  const snapshots = peer.client.reflect(MAPS, { signal: new AbortController().signal });
  assert.equal(await next(snapshots), "a/one@1");
  await world.watch(1);
  await peer.stop();
  world.items = [configMap("one", "30")];
  world.refuse = ({ query }) => query.get("watch") === null ? undefined : status(410, "Expired");
  await using again = new ApiPeer(world.answer, {}, port);
  assert.equal(await next(snapshots), "a/one@30");
  await snapshots.return(undefined);
  assert.ok(again.seen.length > 0);
});

Deno.test("a server that was set back is silent, and is listed again", async () => {
  const world = new World();
  await using peer = new ApiPeer(world.answer, { watchSilence: 150 });
  const snapshots = peer.client.reflect(MAPS, { signal: new AbortController().signal });
  await next(snapshots);
  world.items = [configMap("restored", "3")];
  world.version = "4";
  assert.equal(await next(snapshots), "a/restored@3");
  await world.watch(2);
  assert.equal(world.watches[1]?.from, "4");
  await snapshots.return(undefined);
});

Deno.test("after several failed watches everything is listed again", async () => {
  const world = new World();
  world.refuse = ({ query }) =>
    query.get("watch") !== null && world.lists < 2 ? status(504, "Timeout") : undefined;
  await using peer = new ApiPeer(world.answer);
  const snapshots = peer.client.reflect(MAPS, { signal: new AbortController().signal });
  await next(snapshots);
  await world.watch(1);
  assert.equal(world.lists, 2);
  await snapshots.return(undefined);
});

Deno.test("the signal ends it while it waits, without an error", async () => {
  await using peer = new ApiPeer(() => status(503, "ServiceUnavailable"));
  const stop = new AbortController();
  const pending = peer.client.reflect(MAPS, { signal: stop.signal }).next();
  setTimeout(() => stop.abort(), 50);
  assert.equal((await pending).done, true);
  const aborted = peer.client.reflect(MAPS, { signal: AbortSignal.abort() });
  assert.equal((await aborted.next()).done, true);
});

Deno.test("managed fields are not kept in memory", async () => {
  const world = new World();
  const item = configMap("one", "1");
  Object.assign(item.metadata, { managedFields: [{ manager: "x" }] });
  world.items = [item];
  await using peer = new ApiPeer(world.answer);
  const snapshots = peer.client.reflect(MAPS, { signal: new AbortController().signal });
  const { value } = await snapshots.next();
  const [object] = [...(value as Snapshot).values()];
  assert.ok(object !== undefined && !("managedFields" in object.metadata));
  await snapshots.return(undefined);
});
