import assert from "node:assert/strict";
import { pem } from "../../test/fakes/api_peer.ts";
import { issueCertificates } from "../admission/mod.ts";
import { ApiProber } from "./api_probe.ts";

const prober = new ApiProber();
const OURS = [pem("ca.crt")];

/** Listens with a certificate and takes every connection. */
function serveTls(cert: string, key: string, hostname = "127.0.0.1") {
  const listener = Deno.listenTls({ hostname, port: 0, cert, key });
  const accepted: Deno.TlsConn[] = [];
  const serving = (async () => {
    try {
      for await (const connection of listener) {
        accepted.push(connection);
        await connection.handshake().catch(() => {});
      }
    } catch {
      // A handshake that the other end has broken off, or the end of the test.
    }
  })();
  const { port } = listener.addr as Deno.NetAddr;
  return {
    port,
    async [Symbol.asyncDispose]() {
      for (const connection of accepted) connection.close();
      listener.close();
      await serving;
    },
  };
}

Deno.test("an API server of the site is known by who signed its certificate", async () => {
  await using server = serveTls(pem("server.crt"), pem("server.key"));
  const target = { host: "127.0.0.1", port: server.port };
  assert.deepEqual(await prober.probe(target, OURS), { kind: "ours" });
});

Deno.test("a certificate of somebody else, or for another name, is something that is there", async () => {
  const other = issueCertificates();
  await using foreign = serveTls(other.cert, other.key);
  const probe = await prober.probe({ host: "127.0.0.1", port: foreign.port }, OURS);
  assert.equal(probe.kind, "other");
  assert.match(
    probe.kind === "other" ? probe.text : "",
    /^127\.0\.0\.1:\d+ is no API server of this site: .*UnknownIssuer/,
  );
  await using elsewhere = serveTls(pem("server.crt"), pem("server.key"), "127.0.0.9");
  const named = await prober.probe({ host: "127.0.0.9", port: elsewhere.port }, OURS);
  assert.equal(named.kind, "other");
});

Deno.test("nobody, and a balancer with nothing behind it, is nothing", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closing = (async () => {
    for await (const connection of listener) connection.close();
  })();
  const { port } = listener.addr;
  assert.deepEqual(await prober.probe({ host: "127.0.0.1", port }, OURS), { kind: "nothing" });
  listener.close();
  await closing.catch(() => {});
  assert.deepEqual(await prober.probe({ host: "127.0.0.1", port }, OURS), { kind: "nothing" });
});

Deno.test("one that takes a connection and is silent is nothing after a while", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted = listener.accept();
  const probe = await prober.probe({ host: "127.0.0.1", port: listener.addr.port }, OURS);
  assert.deepEqual(probe, { kind: "nothing" });
  (await accepted).close();
  // The handshake that was given up ends with the connection.
  await new Promise((resolve) => setTimeout(resolve, 50));
});
