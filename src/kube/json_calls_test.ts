import assert from "node:assert/strict";
import { ApiPeer, configMap, status } from "../../test/fakes/api_peer.ts";
import { KubeClient } from "./client.ts";
import { KubeError } from "./errors.ts";

const MAP = { apiVersion: "v1", kind: "ConfigMap", namespace: "a", name: "b" } as const;

Deno.test("every call asks for JSON, and says what it sends only when it sends something", async () => {
  await using peer = new ApiPeer(() => Response.json(configMap("b")));
  await peer.client.get(MAP);
  await peer.client.create(configMap("b"));
  assert.deepEqual(
    peer.seen.map(({ method, headers }) => [
      method,
      headers.get("accept"),
      headers.get("content-type"),
    ]),
    [["GET", "application/json", null], ["POST", "application/json", "application/json"]],
  );
});

for (
  const [code, works] of [[200, true], [201, true], [202, true], [299, true], [300, false]] as const
) {
  Deno.test(`an answer of ${code} is ${works ? "" : "not "}a success`, async () => {
    await using peer = new ApiPeer(() => Response.json(configMap("b"), { status: code }));
    const call = peer.client.create(configMap("b"));
    if (works) assert.equal((await call).metadata.name, "b");
    else await assert.rejects(call, { reason: "BadResponse", status: code });
  });
}

for (const body of ["", "ok", "3", "null", "true", '"text"', "{"]) {
  Deno.test(`a success with the body ${JSON.stringify(body)} is no answer`, async () => {
    await using peer = new ApiPeer(() => new Response(body));
    await assert.rejects(
      peer.client.create(configMap("b")),
      (error) =>
        error instanceof KubeError && error.reason === "BadResponse" && error.status === 200 &&
        error.message.startsWith("POST /api/v1/namespaces/a/configmaps"),
    );
  });
}

Deno.test("a read of a subresource goes to it, and of none to the object", async () => {
  await using peer = new ApiPeer(() => Response.json(configMap("b")));
  await peer.client.get(MAP, { subresource: "scale" });
  await peer.client.replace(configMap("b"), { subresource: "status" });
  assert.deepEqual(peer.seen.map(({ path }) => path), [
    "/api/v1/namespaces/a/configmaps/b/scale",
    "/api/v1/namespaces/a/configmaps/b/status",
  ]);
});

Deno.test("a client writes under its own name, and a call under another if it says so", async () => {
  await using peer = new ApiPeer(() => Response.json(configMap("b")), { fieldManager: "mine" });
  await peer.client.create(configMap("b"));
  await peer.client.create(configMap("b"), { fieldManager: "yours", dryRun: false });
  await peer.client.patch(MAP, { type: "merge", body: {} }, { dryRun: true });
  assert.deepEqual(peer.seen.map(({ query }) => query.toString()), [
    "fieldManager=mine",
    "fieldManager=yours",
    "fieldManager=mine&dryRun=All",
  ]);
});

Deno.test("only an apply can be forced", async () => {
  await using peer = new ApiPeer(() => Response.json(configMap("b")));
  const forced = { force: true } as object;
  await peer.client.apply(configMap("b"), forced);
  await peer.client.apply(configMap("b"), { force: false });
  await peer.client.replace(configMap("b"), forced);
  assert.deepEqual(peer.seen.map(({ query }) => query.get("force")), ["true", null, null]);
});

Deno.test("writes are counted by kind as they are sent, whatever becomes of them", async () => {
  await using peer = new ApiPeer(() => status(409, "Conflict"));
  const { client } = peer;
  await assert.rejects(client.create(configMap("b")), { reason: "Conflict" });
  await assert.rejects(client.delete(MAP), { reason: "Conflict" });
  await assert.rejects(
    client.deleteCollection({ apiVersion: "v1", kind: "Pod", namespace: "a" }, { dryRun: true }),
    { reason: "Conflict" },
  );
  await client.request("GET", "/x");
  await client.request("HEAD", "/x");
  await client.request("DELETE", "/x");
  assert.deepEqual(Object.fromEntries(client.writesByKind), { ConfigMap: 2, raw: 1 });
  assert.equal(client.writes, 3);
});

Deno.test("the server's version is what it says", async () => {
  await using peer = new ApiPeer(() => Response.json({ gitVersion: "v1.36.3", major: "1" }));
  assert.equal(await peer.client.version(), "v1.36.3");
  assert.equal(peer.seen[0]?.path, "/version");
  peer.answer = () => Response.json({ gitVersion: 1 });
  await assert.rejects(peer.client.version(), { reason: "BadResponse" });
});

for (
  const [code, ready] of [[200, true], [201, false], [401, false], [500, false], [
    503,
    false,
  ]] as const
) {
  Deno.test(`a server that answers ${code} is ${ready ? "" : "not "}ready`, async () => {
    await using peer = new ApiPeer(() => new Response("", { status: code }));
    assert.equal(await peer.client.ready(), ready);
    assert.deepEqual([peer.seen[0]?.path, peer.seen[0]?.headers.get("accept")], ["/readyz", "*/*"]);
  });
}

Deno.test("whoever stops waiting for readiness gets his own reason, not a no", async () => {
  await using peer = new ApiPeer(() => new Response("ok"));
  const enough = new Error("enough");
  await assert.rejects(peer.client.ready({ signal: AbortSignal.abort(enough) }), enough);
});

Deno.test("a kubeconfig may be given as a value, and one that is none is refused at once", async () => {
  await using peer = new ApiPeer(() => Response.json(configMap("b")));
  const client = KubeClient.fromKubeconfig(JSON.parse(peer.kubeconfig));
  assert.equal((await client.get(MAP))?.metadata.name, "b");
  client.close();
  const none = JSON.parse("{}");
  assert.throws(() => KubeClient.fromKubeconfig(none), { reason: "BadKubeconfig" });
  assert.throws(() => KubeClient.fromKubeconfig("/none/at/all"), { reason: "BadKubeconfig" });
});

Deno.test("a raw request sends bytes and texts as they are, and the rest as JSON", async () => {
  await using peer = new ApiPeer(() => new Response(null, { status: 204 }));
  for (const body of [Uint8Array.of(0x41), "text", { a: 1 }, undefined]) {
    const response = await peer.client.request("POST", "/x", { body });
    assert.deepEqual([response.status, await response.text()], [204, ""]);
  }
  assert.deepEqual(
    peer.seen.map(({ body, headers }) => [body, headers.get("content-type")]),
    [
      ["A", "application/json"],
      ["text", "application/json"],
      ['{"a":1}', "application/json"],
      ["", null],
    ],
  );
});
