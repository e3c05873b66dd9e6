import assert from "node:assert/strict";
import { ApiPeer, pem, Pipe, silence } from "../../test/fakes/api_peer.ts";
import { loggerOf, TestClock } from "../../test/fakes/testing.ts";
import type { ClusterAccess } from "./access.ts";
import { KubeError, type KubeErrorReason } from "./errors.ts";
import { Transport, unreachable } from "./transport.ts";

const GET = { method: "GET", path: "/x", headers: {} } as const;

/** A transport to a peer, what it logs, and how often it has read its credentials. */
function transportTo(peer: ApiPeer, more: Partial<ClusterAccess> = {}, timeout = 10_000) {
  const clock = new TestClock();
  const { logger, lines } = loggerOf();
  const made = {
    clock,
    lines,
    loads: 0,
    access: { server: peer.url, ca: pem("ca.crt"), ...more } as ClusterAccess,
    broken: undefined as Error | undefined,
  };
  const load = () => {
    made.loads++;
    if (made.broken !== undefined) throw made.broken;
    return { ...made.access };
  };
  const transport = new Transport(load, { timeout, logger, clock });
  return Object.assign(made, { transport, [Symbol.dispose]: () => transport.close() });
}

function rejects(promise: Promise<unknown>, reason: KubeErrorReason): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof KubeError, String(error));
    assert.equal(error.reason, reason, error.message);
    return true;
  });
}

const BLOCK = 256 << 10;
for (const size of [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK + 5]) {
  Deno.test(`an answer of ${size} bytes is taken whole and in order`, async () => {
    const bytes = new Uint8Array(size).map((_, index) => (index * 31) >> 5);
    await using peer = new ApiPeer(() => new Response(bytes));
    using made = transportTo(peer);
    const reply = await made.transport.send(GET, {});
    assert.equal(reply.status, 200);
    assert.equal(reply.body.length, size);
    assert.ok(Uint8Array.from(reply.body).every((byte, index) => byte === bytes[index]));
  });
}

Deno.test("an answer without a body is one of no bytes", async () => {
  await using peer = new ApiPeer(() => new Response(null, { status: 204 }));
  using made = transportTo(peer);
  const { status, body } = await made.transport.send(GET, {});
  assert.deepEqual([status, body.length], [204, 0]);
});

Deno.test("what is sent is what was given, and the answer is asked for as it is", async () => {
  await using peer = new ApiPeer(() => new Response("ok"));
  using made = transportTo(peer);
  const body = new TextEncoder().encode("bödy");
  const headers = { "content-type": "text/x" };
  await made.transport.send({ method: "PUT", path: "/a?b=c", headers, body }, {});
  const [seen = assert.fail()] = peer.seen;
  assert.deepEqual([seen.method, seen.path, seen.query.toString(), seen.body], [
    "PUT",
    "/a",
    "b=c",
    "bödy",
  ]);
  assert.equal(seen.headers.get("content-type"), "text/x");
  assert.equal(seen.headers.get("accept-encoding"), "identity");
  assert.equal(seen.headers.get("authorization"), null);
});

for (
  const [what, access, expected] of [
    ["a token", { token: "t" }, "Bearer t"],
    ["a token file", { tokenFile: "FILE" }, "Bearer from the file"],
    ["a token and a file", { token: "t", tokenFile: "FILE" }, "Bearer t"],
  ] as const
) {
  Deno.test(`with ${what} the request says "${expected}"`, async () => {
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, "from the file\n");
    await using peer = new ApiPeer(() => new Response("ok"));
    const more = "tokenFile" in access ? { ...access, tokenFile: file } : access;
    using made = transportTo(peer, more);
    await made.transport.send(GET, {});
    assert.equal(peer.seen[0]?.headers.get("authorization"), expected);
    await Deno.remove(file);
  });
}

Deno.test("a token file is read again after a minute, and not before", async () => {
  const file = await Deno.makeTempFile();
  await using peer = new ApiPeer(() => new Response("ok"));
  using made = transportTo(peer, { tokenFile: file });
  const sent = async () => {
    await made.transport.send(GET, {});
    return peer.seen.at(-1)?.headers.get("authorization");
  };
  await Deno.writeTextFile(file, "one");
  assert.equal(await sent(), "Bearer one");
  await Deno.writeTextFile(file, "two");
  made.clock.advance(60_000);
  assert.equal(await sent(), "Bearer one");
  made.clock.advance(1);
  assert.equal(await sent(), "Bearer two");
  await Deno.remove(file);
  assert.equal(await sent(), "Bearer two");
  made.clock.advance(60_001);
  await rejects(made.transport.send(GET, {}), "BadKubeconfig");
  assert.equal(peer.seen.length, 4, "nothing is sent without the token");
});

Deno.test("two timeouts in a row make the connections anew, one does not", async () => {
  await using peer = new ApiPeer((_, raw) => silence(raw));
  using made = transportTo(peer, {}, 50);
  await rejects(made.transport.send(GET, {}), "Timeout");
  assert.equal(made.loads, 1);
  await rejects(made.transport.send(GET, {}), "Timeout");
  assert.equal(made.loads, 2);
});

Deno.test("an answer between two timeouts lets the connections be", async () => {
  let silent = true;
  await using peer = new ApiPeer((_, raw) => silent ? silence(raw) : new Response("ok"));
  using made = transportTo(peer);
  for (const hushed of [true, false, true]) {
    silent = hushed;
    const call = made.transport.send(GET, { timeout: hushed ? 50 : 10_000 });
    await (hushed ? rejects(call, "Timeout") : call);
  }
  assert.equal(made.loads, 1);
});

Deno.test("credentials that are refused are read again, at most once in five seconds", async () => {
  await using peer = new ApiPeer(() => new Response(null, { status: 401 }));
  using made = transportTo(peer);
  const again = [];
  for (const passed of [0, 0, 4_999, 1, 5_000]) {
    const { loads } = made;
    made.clock.advance(passed);
    assert.equal((await made.transport.send(GET, {})).status, 401, "the answer is the caller's");
    again.push(made.loads > loads);
  }
  assert.deepEqual(again, [true, false, false, true, true]);
});

Deno.test("credentials that cannot be read again are told, and the old ones stay in use", async () => {
  await using peer = new ApiPeer(() => new Response(null, { status: 401 }));
  using made = transportTo(peer);
  made.broken = new Error("the file is gone");
  await made.transport.send(GET, {});
  assert.deepEqual(made.lines, [
    'warn  the API server\'s credentials cannot be read again error="the file is gone"',
  ]);
  made.clock.advance(5_000);
  assert.equal((await made.transport.send(GET, {})).status, 401);
  assert.equal(made.transport.server, peer.url);
  assert.equal(made.lines.length, 1, "once");
  made.broken = undefined;
  made.clock.advance(5_000);
  await made.transport.send(GET, {});
  made.broken = new Error("the file is gone");
  made.clock.advance(5_000);
  await made.transport.send(GET, {});
  assert.equal(made.lines.length, 2, "and when it is news again");
});

Deno.test("a kubeconfig is looked at again before a request, at most once in five seconds", async () => {
  await using old = new ApiPeer(() => new Response("old"));
  await using moved = new ApiPeer(() => new Response("new"));
  using made = transportTo(old);
  const { era } = made.transport;
  const answer = async () => new TextDecoder().decode((await made.transport.send(GET, {})).body);
  made.access = { ...made.access, server: moved.url };
  made.clock.advance(4_999);
  assert.deepEqual([await answer(), made.loads, era.aborted], ["old", 1, false]);
  made.clock.advance(1);
  assert.deepEqual([await answer(), made.loads], ["new", 2]);
  assert.equal(era.reason.reason, "Gone");
  assert.equal(made.transport.era.aborted, false);
  made.clock.advance(5_000);
  const now = made.transport.era;
  assert.deepEqual([await answer(), made.loads], ["new", 3]);
  assert.equal(made.transport.era, now, "the same again is no news");
});

Deno.test("a kubeconfig whose key cannot be used is not taken over", async () => {
  await using peer = new ApiPeer(() => new Response("ok"));
  using made = transportTo(peer);
  made.access = {
    ...made.access,
    server: "https://127.0.0.1:1",
    cert: pem("client.crt"),
    key: "x",
  };
  made.clock.advance(5_000);
  assert.equal((await made.transport.send(GET, {})).status, 200);
  assert.equal(made.transport.server, peer.url);
  assert.match(made.lines.join(), /cannot be read again.*the key of the kubeconfig cannot be used/);
});

Deno.test("an answer over the limit of its call is broken off, and no later one", async () => {
  await using peer = new ApiPeer(() => new Response(new Uint8Array(2_000)));
  using made = transportTo(peer);
  await rejects(made.transport.send(GET, { maxBody: 1_999 }), "TooLarge");
  assert.equal((await made.transport.send(GET, { maxBody: 2_000 })).body.length, 2_000);
});

Deno.test("a body that does not end counts as no answer", async () => {
  await using peer = new ApiPeer(() => new Response(new Pipe().stream));
  using made = transportTo(peer, {}, 50);
  await rejects(made.transport.send(GET, {}), "Timeout");
  const { loads } = made;
  await rejects(made.transport.send(GET, {}), "Timeout");
  assert.equal(made.loads, loads + 1, "the second in a row makes the connections anew");
});

Deno.test("a closed transport sends nothing, reads nothing again, and closes once", async () => {
  await using peer = new ApiPeer(() => new Response("ok"));
  using made = transportTo(peer);
  made.transport.close();
  made.transport.close();
  made.clock.advance(60_000);
  await rejects(made.transport.send(GET, {}), "Unreachable");
  assert.deepEqual([peer.seen.length, made.loads], [0, 1]);
});

Deno.test("a call's own time counts before the client's", async () => {
  await using peer = new ApiPeer((_, raw) => silence(raw));
  using made = transportTo(peer, {}, 600_000);
  await assert.rejects(
    made.transport.send(GET, { timeout: 40 }),
    (error) =>
      error instanceof KubeError && error.reason === "Timeout" &&
      error.message === `GET /x: no answer from ${peer.url} within 40 ms`,
  );
});

for (
  const [cause, code, remedy] of [
    [new Error("tcp connect error: Connection refused (os error 111)"), "(ECONNREFUSED)", false],
    [new Error("invalid peer certificate: UnknownIssuer"), undefined, true],
    [new Error("x", { cause: new Error("deep (os error 111)") }), "(ECONNREFUSED)", false],
    ["text", undefined, false],
  ] as const
) {
  Deno.test(`a connection that failed with "${cause}" is told${remedy ? ", with what to do" : ""}`, () => {
    const error = unreachable("GET /x", "https://h:1", cause);
    assert.equal(error.reason, "Unreachable");
    assert.equal(
      error.message,
      `GET /x: no connection to https://h:1${code === undefined ? "" : ` ${code}`}`,
    );
    assert.equal(error.remedy?.includes("certificate authority") ?? false, remedy);
    assert.equal(error.cause, cause);
  });
}

for (const text of ["certificate not valid yet: verification time 10", "certificate expired"]) {
  Deno.test(`of a certificate whose time it is not the clock is told: ${text}`, () => {
    const error = unreachable("GET /x", "https://h:1", new Error(`invalid peer ${text}`));
    assert.match(error.remedy ?? "", /this node's clock it is \d{4}-\d\d-\d\dT.*set the clock/);
  });
}
