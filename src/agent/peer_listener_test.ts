import assert from "node:assert/strict";
import { type PeerHandlers, PeerListenerError, servePeers } from "./peer_listener.ts";

const HERE = { hostname: "127.0.0.1", port: 0 };

Deno.test("each question goes to who answers such questions, or is not found", async () => {
  const says = (text: string) => () => Promise.resolve(new Response(text));
  const [words, images] = [says("word"), says("image")];
  const rows: [PeerHandlers, word: string, image: string][] = [
    [{ words, images }, "word", "image"],
    [{ words }, "word", ""],
    [{ images }, "", "image"],
    [{}, "", ""],
  ];
  for (const [handlers, word, image] of rows) {
    const stop = new AbortController();
    const server = servePeers(handlers, HERE, stop.signal);
    const ask = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method: "POST" });
      const text = await response.text();
      assert.equal(response.status, text === "" ? 404 : 200);
      return text;
    };
    assert.deepEqual([await ask("/v1/etcd/word"), await ask("/v1/images/v2/a")], [word, image]);
    stop.abort();
    await server.finished;
  }
});

Deno.test("a taken address is said, with the setting for another one", async () => {
  const stop = new AbortController();
  const server = servePeers({}, HERE, stop.signal);
  assert.throws(
    () => servePeers({}, { ...HERE, port: server.port }, stop.signal),
    (error) =>
      error instanceof PeerListenerError && error.reason === "AddressInUse" &&
      error.disposition === "wait" && /--peer-address/.test(error.remedy ?? ""),
  );
  stop.abort();
  await server.finished;
});
