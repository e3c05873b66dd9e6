import assert from "node:assert/strict";
import { ApiPeer, configMap, pem, silence, status } from "../../test/fakes/api_peer.ts";
import { KubeClient } from "./client.ts";
import { KubeError, type KubeErrorReason } from "./errors.ts";
import { MAX_BODY } from "./transport.ts";

const REF = { apiVersion: "v1", kind: "ConfigMap", namespace: "a", name: "b" } as const;
const MAPS = { apiVersion: "v1", kind: "ConfigMap", namespace: "a" } as const;

function rejects(promise: Promise<unknown>, reason: KubeErrorReason): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof KubeError, String(error));
    assert.equal(error.reason, reason, error.message);
    return true;
  });
}

Deno.test("get gives the object, or undefined when it or its kind is not there", async () => {
  await using peer = new ApiPeer(({ path }) =>
    path === "/api/v1/namespaces/a/configmaps/b"
      ? Response.json(configMap("b"))
      : status(404, "NotFound")
  );
  assert.equal((await peer.client.get(REF))?.metadata.name, "b");
  assert.equal(await peer.client.get({ ...REF, name: "c" }), undefined);
  const unknown = { apiVersion: "example.dev/v1", kind: "Thing", namespace: "a", name: "b" };
  assert.equal(await peer.client.get(unknown), undefined);
  assert.equal(peer.client.writes, 0);
});

Deno.test("a list is complete, page by page, and its items carry their kind", async () => {
  await using peer = new ApiPeer(({ query }) => {
    const page = Number(query.get("continue") ?? "0");
    const { apiVersion: _, kind: __, ...item } = configMap(`m${page}`);
    const next = page === 2 ? "" : String(page + 1);
    return Response.json({ metadata: { resourceVersion: "7", continue: next }, items: [item] });
  });
  const { items, resourceVersion } = await peer.client.list(MAPS, {
    labelSelector: "a=b,c in (d)",
    fieldSelector: "metadata.name!=x",
  });
  assert.equal(resourceVersion, "7");
  assert.deepEqual(items.map(({ kind, metadata }) => [kind, metadata.name]), [
    ["ConfigMap", "m0"],
    ["ConfigMap", "m1"],
    ["ConfigMap", "m2"],
  ]);
  assert.equal(peer.seen.length, 3);
  for (const { query } of peer.seen) {
    assert.equal(query.get("labelSelector"), "a=b,c in (d)");
    assert.equal(query.get("fieldSelector"), "metadata.name!=x");
  }
});

Deno.test("a list with a limit asks for no more than that", async () => {
  await using peer = new ApiPeer(() =>
    Response.json({ metadata: { resourceVersion: "7", continue: "more" }, items: [configMap("a")] })
  );
  assert.equal((await peer.client.list(MAPS, { limit: 1 })).items.length, 1);
  assert.equal(peer.seen.length, 1);
  assert.equal(peer.seen[0]?.query.get("limit"), "1");
});

Deno.test("a list whose continuation expired starts again, but not for ever", async () => {
  let expired = 1;
  await using peer = new ApiPeer(({ query }) => {
    if (query.get("continue") === null) {
      return Response.json({
        metadata: { resourceVersion: "7", continue: "next" },
        items: [configMap("first")],
      });
    }
    return expired-- > 0
      ? status(410, "Expired")
      : Response.json({ metadata: { resourceVersion: "8" }, items: [configMap("second")] });
  });
  const { items } = await peer.client.list(MAPS);
  assert.deepEqual(items.map(({ metadata }) => metadata.name), ["first", "second"]);
  expired = 1000;
  await rejects(peer.client.list(MAPS), "Gone");
});

Deno.test("writes go where they belong, with field manager and content type", async () => {
  await using peer = new ApiPeer(() => Response.json(configMap("b")));
  const { client } = peer;
  await client.create(configMap("b"));
  await client.replace(configMap("b"));
  await client.apply(configMap("b"), { force: true });
  await client.apply(configMap("b"), { fieldManager: "other" });
  await client.patch(REF, { type: "merge", body: { data: {} } });
  await client.patch(REF, { type: "json", body: [] }, { subresource: "status" });
  await client.patch(REF, { type: "strategic", body: {} });
  const one = "/api/v1/namespaces/a/configmaps/b";
  assert.deepEqual(
    peer.seen.map(({ method, path, query, headers }) => [
      method,
      path,
      query.toString(),
      headers.get("content-type"),
    ]),
    [
      ["POST", "/api/v1/namespaces/a/configmaps", "fieldManager=holdfast", "application/json"],
      ["PUT", one, "fieldManager=holdfast", "application/json"],
      ["PATCH", one, "fieldManager=holdfast&force=true", "application/apply-patch+yaml"],
      ["PATCH", one, "fieldManager=other", "application/apply-patch+yaml"],
      ["PATCH", one, "fieldManager=holdfast", "application/merge-patch+json"],
      ["PATCH", `${one}/status`, "fieldManager=holdfast", "application/json-patch+json"],
      ["PATCH", one, "fieldManager=holdfast", "application/strategic-merge-patch+json"],
    ],
  );
  assert.deepEqual(JSON.parse(peer.seen[0]?.body ?? ""), configMap("b"));
  assert.equal(client.writes, 7);
  assert.deepEqual([...client.writesByKind], [["ConfigMap", 7]]);
});

Deno.test("a dry run is asked for and is not counted as a write", async () => {
  await using peer = new ApiPeer(() => Response.json(configMap("b")));
  await peer.client.create(configMap("b"), { dryRun: true });
  await peer.client.delete(REF, { dryRun: true });
  assert.equal(peer.seen[0]?.query.get("dryRun"), "All");
  assert.deepEqual(JSON.parse(peer.seen[1]?.body ?? "").dryRun, ["All"]);
  assert.equal(peer.client.writes, 0);
});

Deno.test("a deletion says whether there was something", async () => {
  await using peer = new ApiPeer(() => Response.json({ kind: "Status", metadata: {} }));
  const preconditions = { uid: "u" };
  assert.equal(await peer.client.delete(REF, { preconditions }), true);
  await peer.client.deleteCollection(MAPS, { labelSelector: "a=b" });
  peer.answer = () => status(404, "NotFound");
  assert.equal(await peer.client.delete(REF), false);
  const [first, second] = peer.seen;
  const options = JSON.parse(first?.body ?? "");
  assert.deepEqual(options.preconditions, preconditions);
  assert.equal(options.propagationPolicy, "Background");
  assert.equal(second?.path, "/api/v1/namespaces/a/configmaps");
  assert.equal(second?.query.toString(), "labelSelector=a%3Db");
});

Deno.test("a namespaced object without a namespace is not sent", async () => {
  await using peer = new ApiPeer(() => Response.json({}));
  const metadata = { name: "b" };
  await rejects(peer.client.apply({ apiVersion: "v1", kind: "ConfigMap", metadata }), "Invalid");
  await rejects(peer.client.get({ apiVersion: "v1", kind: "ConfigMap", name: "b" }), "Invalid");
  await rejects(peer.client.apply({ ...configMap("b"), metadata: { namespace: "a" } }), "Invalid");
  // An empty selection of namespaces must never mean all of them.
  const everywhere = { apiVersion: "v1", kind: "ConfigMap" };
  await rejects(peer.client.deleteCollection(everywhere, {}), "Invalid");
  assert.equal(peer.seen.length, 0);
});

Deno.test("an answer that is no object is refused", async () => {
  await using peer = new ApiPeer(() => new Response("<html>"));
  await rejects(peer.client.get(REF), "BadResponse");
  await rejects(peer.client.list(MAPS), "BadResponse");
  peer.answer = () => Response.json({ items: 3 });
  await rejects(peer.client.get(REF), "BadResponse");
  await rejects(peer.client.list(MAPS), "BadResponse");
  await rejects(peer.client.version(), "BadResponse");
});

Deno.test("too many requests: the error carries how long the server asks to wait", async () => {
  await using peer = new ApiPeer(() =>
    new Response("slow down", { status: 429, headers: { "retry-after": "3" } })
  );
  await assert.rejects(peer.client.get(REF), (error) => {
    assert.ok(error instanceof KubeError);
    assert.deepEqual([error.reason, error.retryAfter, error.status], [
      "TooManyRequests",
      3000,
      429,
    ]);
    return true;
  });
  assert.equal(peer.seen.length, 1, "nothing is tried again by itself");
});

Deno.test("an answer that does not come, or not to its end, is a timeout", async () => {
  await using peer = new ApiPeer((_, raw) => silence(raw), { timeout: 150 });
  await rejects(peer.client.get(REF), "Timeout");
  peer.answer = () =>
    new Response(new ReadableStream({ start: (c) => c.enqueue(new TextEncoder().encode("{")) }));
  await rejects(peer.client.get(REF), "Timeout");
  await rejects(peer.client.get(REF), "Timeout");
  peer.answer = () => Response.json(configMap("b"));
  const next = await peer.client.get(REF, { timeout: 20_000 });
  assert.equal(next?.metadata.name, "b", "the next call works");
});

Deno.test("a call ends with its signal, before and while it waits", async () => {
  await using peer = new ApiPeer((_, raw) => silence(raw));
  const gone = new Error("no longer wanted");
  const before = AbortSignal.abort(gone);
  await assert.rejects(peer.client.get(REF, { signal: before }), gone);
  const controller = new AbortController();
  const call = peer.client.get(REF, { signal: controller.signal });
  setTimeout(() => controller.abort(gone), 50);
  await assert.rejects(call, gone);
});

Deno.test("an answer that breaks off is Unreachable, and so is a server that is not there", async () => {
  await using peer = new ApiPeer(() =>
    new Response(
      new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode('{"metadata":'));
          setTimeout(() => controller.error(new Error("broken off")), 20);
        },
      }),
    )
  );
  await rejects(peer.client.get(REF), "Unreachable");
  await peer.stop();
  await rejects(peer.client.get(REF), "Unreachable");
  assert.equal(await peer.client.ready(), false);
});

Deno.test("an answer that is too large is given up", async () => {
  const piece = new Uint8Array(1 << 20);
  let sent = 0;
  await using peer = new ApiPeer(() =>
    new Response(
      new ReadableStream({
        pull(controller) {
          sent += piece.length;
          controller.enqueue(piece);
        },
      }, { highWaterMark: 0 }),
    )
  );
  await rejects(peer.client.get(REF), "TooLarge");
  assert.ok(sent > MAX_BODY && sent < 2 * MAX_BODY, `${sent}`);
});

Deno.test("a server with a certificate of another authority gets no request", async () => {
  await using peer = new ApiPeer(() => Response.json({}));
  const stranger = KubeClient.fromAccess({ server: peer.url });
  await rejects(stranger.get(REF), "Unreachable");
  assert.equal(peer.seen.length, 0);
  stranger.close();
});

Deno.test("a redirect is not followed, and takes no token with it", async () => {
  await using elsewhere = new ApiPeer(() => Response.json(configMap("b")));
  await using peer = new ApiPeer(() =>
    new Response(null, { status: 307, headers: { location: `${elsewhere.url}/x` } })
  );
  const client = KubeClient.fromAccess({ server: peer.url, ca: pem("ca.crt"), token: "secret" });
  await assert.rejects(client.get(REF), KubeError);
  assert.equal(peer.seen[0]?.headers.get("authorization"), "Bearer secret");
  assert.equal(elsewhere.seen.length, 0);
  client.close();
});

Deno.test("a refused token is read again from its file, without a restart", async () => {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/token`, "old\n");
  await Deno.writeTextFile(`${directory}/ca.crt`, pem("ca.crt"));
  await using peer = new ApiPeer(({ headers }) =>
    headers.get("authorization") === "Bearer new"
      ? Response.json(configMap("b"))
      : status(401, "Unauthorized")
  );
  const path = `${directory}/kubeconfig`;
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      "current-context": "c",
      contexts: [{ name: "c", context: { cluster: "k", user: "u" } }],
      clusters: [{ name: "k", cluster: { server: peer.url, "certificate-authority": "ca.crt" } }],
      users: [{ name: "u", user: { tokenFile: "token" } }],
    }),
  );
  const client = KubeClient.fromKubeconfig(path);
  await rejects(client.get(REF), "Unauthorized");
  await Deno.writeTextFile(`${directory}/token`, "new\n");
  let now = 6_000;
  const later = KubeClient.fromKubeconfig(path, {
    clock: { now: () => new Date(), monotonic: () => now, sleep: () => Promise.resolve() },
  });
  assert.equal((await later.get(REF))?.metadata.name, "b");
  await Deno.writeTextFile(`${directory}/token`, "wrong");
  now += 61_000;
  await rejects(later.get(REF), "Unauthorized");
  await Deno.writeTextFile(`${directory}/token`, "new");
  assert.equal((await later.get(REF))?.metadata.name, "b", "a 401 makes it read the file");
  client.close();
  later.close();
  await Deno.remove(directory, { recursive: true });
});

Deno.test("a key that cannot be read is the kubeconfig's fault", () => {
  const access = { server: "https://127.0.0.1:1", cert: pem("client.crt"), key: "no key" };
  assert.throws(
    () => KubeClient.fromAccess(access),
    (error) => error instanceof KubeError && error.reason === "BadKubeconfig",
  );
});

Deno.test("a raw request gives any answer as it is", async () => {
  await using peer = new ApiPeer(({ path }) =>
    path === "/readyz" ? new Response("ok") : new Response("teapot", { status: 418 })
  );
  const answer = await peer.client.request("POST", "/x/y", {
    query: { a: "b c", none: undefined },
    body: "text",
    contentType: "text/plain",
  });
  assert.deepEqual([answer.status, await answer.text()], [418, "teapot"]);
  const [seen] = peer.seen;
  assert.deepEqual([seen?.path, seen?.query.toString(), seen?.body], ["/x/y", "a=b+c", "text"]);
  assert.equal(seen?.headers.get("content-type"), "text/plain");
  assert.deepEqual([...peer.client.writesByKind], [["raw", 1]]);
  assert.equal(await peer.client.ready(), true);
});

Deno.test("a closed client fails at once", async () => {
  await using peer = new ApiPeer(() => Response.json({}));
  peer.client.close();
  await rejects(peer.client.get(REF), "Unreachable");
});
