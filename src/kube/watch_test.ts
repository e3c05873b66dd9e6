import assert from "node:assert/strict";
import { ApiPeer, configMap, Pipe, status } from "../../test/fakes/api_peer.ts";
import { despitePauses, eventually, TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { KubeClient } from "./client.ts";
import { KubeError, type KubeErrorReason } from "./errors.ts";
import type { WatchEvent } from "./types.ts";

const MAPS = { apiVersion: "v1", kind: "ConfigMap", namespace: "a" } as const;

async function collect(events: AsyncGenerator<WatchEvent>): Promise<string[]> {
  const names: string[] = [];
  for await (const { type, object } of events) names.push(`${type} ${object.metadata.name}`);
  return names;
}

async function fails(events: AsyncGenerator<WatchEvent>, reason: KubeErrorReason): Promise<void> {
  await assert.rejects(collect(events), (error) => {
    assert.ok(error instanceof KubeError, String(error));
    assert.equal(error.reason, reason, error.message);
    return true;
  });
}

Deno.test("events come as they were sent, however the bytes are cut", async () => {
  const all = [
    { type: "ADDED", object: configMap("plain") },
    { type: "MODIFIED", object: configMap("plain", "2", { text: "zwölf Äpfel\n€" }) },
    { type: "BOOKMARK", object: { kind: "ConfigMap", metadata: { resourceVersion: "9" } } },
    { type: "DELETED", object: configMap("plain") },
  ];
  const bytes = new TextEncoder().encode(all.map((each) => JSON.stringify(each) + "\n").join("\n"));
  for (const size of [1, 7, 64, bytes.length]) {
    await using peer = new ApiPeer(() => {
      const pipe = new Pipe();
      for (let at = 0; at < bytes.length; at += size) pipe.write(bytes.slice(at, at + size));
      pipe.close();
      return new Response(pipe.stream);
    });
    const received = [];
    for await (const event of peer.client.watch(MAPS)) received.push(event);
    assert.deepEqual(received, all);
  }
});

Deno.test("a watch asks for bookmarks, a version and an end", async () => {
  await using peer = new ApiPeer(() => new Response());
  const options = { resourceVersion: "42", labelSelector: "a=b", fieldSelector: "c=d" };
  assert.deepEqual(await collect(peer.client.watch(MAPS, options)), []);
  const [{ path, query } = assert.fail("nothing was asked")] = peer.seen;
  assert.equal(path, "/api/v1/namespaces/a/configmaps");
  const seconds = Number(query.get("timeoutSeconds"));
  assert.ok(seconds >= 240 && seconds < 300);
  query.delete("timeoutSeconds");
  assert.deepEqual(Object.fromEntries(query), {
    watch: "true",
    allowWatchBookmarks: "true",
    ...options,
  });
});

Deno.test("a version that is too old is Gone, as an answer and as an event", async () => {
  await using peer = new ApiPeer(() => status(410, "Expired"));
  await fails(peer.client.watch(MAPS), "Gone");
  const body = {
    kind: "Status",
    code: 410,
    reason: "Expired",
    message: "too old resource version",
  };
  peer.answer = () => new Response(JSON.stringify({ type: "ERROR", object: body }) + "\n");
  await fails(peer.client.watch(MAPS), "Gone");
  peer.answer = () => status(403, "Forbidden");
  await fails(peer.client.watch(MAPS), "Forbidden");
});

Deno.test("what is no event ends the watch with BadResponse", async () => {
  await using peer = new ApiPeer(() => new Response());
  for (const line of ["<html>", "{}", '{"type":"ADDED"}', '{"type":"ADDED","object":1}', "null"]) {
    peer.answer = () => new Response(`${line}\n`);
    await fails(peer.client.watch(MAPS), "BadResponse");
  }
});

Deno.test("half an event at the end is not taken for one", async () => {
  await using peer = new ApiPeer(() => new Response('{"type":"ADDED","object":{"metadata"'));
  assert.deepEqual(await collect(peer.client.watch(MAPS)), []);
});

Deno.test("a silent watch is given up, one with bookmarks lives", () =>
  despitePauses(async () => {
    const pipe = new Pipe();
    await using peer = new ApiPeer(() => new Response(pipe.stream), { watchSilence: 1_000 });
    const beat = setInterval(() => pipe.event("BOOKMARK", { metadata: { name: "b" } }), 100);
    const stop = setTimeout(() => clearInterval(beat), 2_200);
    const started = performance.now();
    try {
      await fails(peer.client.watch(MAPS), "Timeout");
      assert.ok(performance.now() - started > 2_200);
    } finally {
      clearInterval(beat);
      clearTimeout(stop);
    }
  }));

Deno.test("whoever is slow to take an event does not lose the watch", () =>
  despitePauses(async () => {
    const pipe = new Pipe();
    await using peer = new ApiPeer(() => new Response(pipe.stream), { watchSilence: 1_000 });
    pipe.event("ADDED", configMap("one"));
    const events = peer.client.watch(MAPS);
    assert.equal((await events.next()).value?.object.metadata.name, "one");
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    pipe.event("ADDED", configMap("two"));
    assert.equal((await events.next()).value?.object.metadata.name, "two");
    await events.return(undefined);
  }));

Deno.test("a connection that is lost is Unreachable", async () => {
  const pipe = new Pipe();
  pipe.event("ADDED", configMap("one"));
  await using peer = new ApiPeer(() => new Response(pipe.stream));
  const seen: string[] = [];
  await assert.rejects(async () => {
    for await (const { object } of peer.client.watch(MAPS)) {
      seen.push(object.metadata.name ?? "");
      pipe.breakOff();
    }
  }, (error) => error instanceof KubeError && error.reason === "Unreachable");
  assert.deepEqual(seen, ["one"]);
});

Deno.test("the signal ends many watches at once, and their connections", async () => {
  const pipes: Pipe[] = [];
  await using peer = new ApiPeer(() => {
    const pipe = new Pipe();
    pipes.push(pipe);
    pipe.event("ADDED", configMap("one"));
    return new Response(pipe.stream);
  });
  const controller = new AbortController();
  const { signal } = controller;
  let seen = 0;
  const watches = Array.from({ length: 30 }, async () => {
    for await (const _ of peer.client.watch(MAPS, { signal })) seen++;
  });
  // Deno 2.7 may leave a connection open whose answer had not begun when the signal came; the
  // server's own limit on a watch ends it. What is promised is promised of watches that run.
  while (seen < 30) await new Promise((resolve) => setTimeout(resolve, 10));
  controller.abort();
  const started = performance.now();
  await Promise.all(watches);
  assert.equal(seen, 30);
  await Promise.all(pipes.map((pipe) => pipe.cancelled));
  assert.ok(performance.now() - started < 20_000);
});

Deno.test("leaving the loop ends the connection", async () => {
  const pipe = new Pipe();
  await using peer = new ApiPeer(() => new Response(pipe.stream));
  pipe.event("ADDED", configMap("one"));
  for await (const _ of peer.client.watch(MAPS)) break;
  await pipe.cancelled;
});

Deno.test("an event without an end is given up at its limit", async () => {
  await using peer = new ApiPeer(() =>
    new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(1 << 20).fill(0x61)),
      }),
    )
  );
  await fails(peer.client.watch(MAPS), "TooLarge");
});

Deno.test("a watch ends as Gone when the kubeconfig leads elsewhere, whatever still comes", () =>
  withDirectory(async (directory) => {
    const pipe = new Pipe();
    await using old = new ApiPeer(() => new Response(pipe.stream));
    await using moved = new ApiPeer(() => Response.json({ gitVersion: "v2" }));
    const clock = new TestClock();
    const path = `${directory}/kubeconfig`;
    await Deno.writeTextFile(path, old.kubeconfig);
    const client = KubeClient.fromKubeconfig(path, { clock });
    const watching = fails(client.watch(MAPS), "Gone");
    pipe.event("ADDED", configMap("a"));
    await eventually(() => old.seen.length === 1);
    await Deno.writeTextFile(path, moved.kubeconfig);
    clock.advance(5_000);
    assert.equal(await client.version(), "v2");
    await watching;
    client.close();
  }));
