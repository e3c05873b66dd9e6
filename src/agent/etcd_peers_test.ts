import assert from "node:assert/strict";
import { askPeer, createWordHandler, type WordSource } from "./etcd_peers.ts";
import { type EtcdStatement, MAX_WORD, WordKey } from "./etcd_word.ts";
import { servePeers } from "./peer_listener.ts";

const SECRET = "the key of etcd's authority";
const STATEMENT: EtcdStatement = {
  word: "never",
  text: "its disk is blank",
  addresses: ["127.0.0.1"],
  controlPlanes: ["127.0.0.2", "127.0.0.1"],
};
const SOURCE: WordSource = {
  secret: () => Promise.resolve(SECRET),
  state: () => Promise.resolve(STATEMENT),
};
const LIVE = new AbortController().signal;

/** Serves words while something is done with the port. */
async function withPeer(
  source: WordSource,
  action: (port: number) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const words = createWordHandler(source);
  const server = servePeers({ words }, { hostname: "127.0.0.1", port: 0 }, stop.signal);
  try {
    await action(server.port);
  } finally {
    stop.abort();
    await server.finished;
  }
}

const post = (body: BodyInit, path = "/v1/etcd/word") =>
  new Request(`http://peer${path}`, { method: "POST", body });

Deno.test("a control plane is asked over the network, and its word comes back", () =>
  withPeer(SOURCE, async (port) => {
    const answer = await askPeer("127.0.0.1", port, SECRET, LIVE);
    assert.deepEqual(answer, { address: "127.0.0.1", statement: STATEMENT });
  }));

Deno.test("who has another key is told nothing, and is not believed", () =>
  withPeer(SOURCE, async (port) => {
    const answer = await askPeer("127.0.0.1", port, "another", LIVE);
    assert.deepEqual(answer, { address: "127.0.0.1", text: "answers with HTTP 403:" });
  }));

Deno.test("one that is not there, is at its start, or is something else is no word", async () => {
  const gone = await askPeer("127.0.0.1", 1, SECRET, LIVE);
  assert.match(gone.text ?? "", /^does not answer: /);
  assert.equal(gone.silent, true);
  await withPeer({ ...SOURCE, secret: () => Promise.resolve(undefined) }, async (port) => {
    const early = await askPeer("127.0.0.1", port, SECRET, LIVE);
    assert.match(early.text ?? "", /HTTP 503: Talos does not have the site's secrets yet/);
  });
  await withPeer({
    ...SOURCE,
    state: () => Promise.reject(new Error("machined is gone")),
  }, async (port) => {
    const blind = await askPeer("127.0.0.1", port, SECRET, LIVE);
    assert.match(blind.text ?? "", /HTTP 503: machined is gone/);
  });
  for (const body of ["hello", "x".repeat(100_000), JSON.stringify({ ...STATEMENT, mac: "" })]) {
    const server = Deno.serve(
      { port: 0, hostname: "127.0.0.1", onListen() {} },
      () => new Response(body),
    );
    const answer = await askPeer("127.0.0.1", server.addr.port, SECRET, LIVE);
    assert.equal(answer.text, "answers without this site's key");
    await server.shutdown();
  }
});

Deno.test("nothing is looked up for a question that nobody of the site has asked", async () => {
  let looks = 0;
  const handler = createWordHandler({
    ...SOURCE,
    state: () => {
      looks++;
      return SOURCE.state();
    },
  });
  const key = new WordKey(SECRET);
  const good = key.ask("127.0.0.1").text;
  const rows: [request: Request, status: number][] = [
    [new Request("http://peer/v1/etcd/word"), 404],
    [post(good, "/other"), 404],
    [post(""), 403],
    [post("{}"), 403],
    [post(good.replace("127.0.0.1", "127.0.0.2")), 403],
    [post(new WordKey("another").ask("127.0.0.1").text), 403],
    [post("x".repeat(MAX_WORD + 1)), 413],
  ];
  for (const [request, status] of rows) {
    assert.equal((await handler(request)).status, status, request.url);
  }
  assert.equal(looks, 0);
  assert.equal((await handler(post(good))).status, 200);
  assert.equal(looks, 1);
});

Deno.test("there is a limit to how many are answered at once", async () => {
  const hold = Promise.withResolvers<void>();
  const handler = createWordHandler({
    ...SOURCE,
    secret: async () => {
      await hold.promise;
      return SECRET;
    },
  });
  const { text } = new WordKey(SECRET).ask("127.0.0.1");
  const waiting = Array.from({ length: 8 }, () => handler(post(text)));
  const refused = await handler(post(text));
  assert.deepEqual([refused.status, await refused.text()], [503, "too many questions at once"]);
  hold.resolve();
  for (const response of await Promise.all(waiting)) assert.equal(response.status, 200);
  assert.equal((await handler(post(text))).status, 200, "and then there is room again");
});

Deno.test("a question that does not come to its end is given up", async () => {
  const endless = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode("{")),
  });
  const response = await createWordHandler(SOURCE)(post(endless));
  assert.equal(response.status, 403);
});
