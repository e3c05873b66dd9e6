import assert from "node:assert/strict";
import { type Answer, ApiPeer, pem, Pipe, silence } from "../../test/fakes/api_peer.ts";
import { TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { describeError } from "../std/mod.ts";
import { KubeClient } from "./client.ts";
import { KubeError } from "./errors.ts";

/*
 * What answers in the place of an API server may be anything; a kubeconfig that leads elsewhere, and a
 * server that comes right, are found whatever it was.
 */

const PORTAL = "<html><body>Please sign in</body></html>";
const VERSION = { gitVersion: "v1.36.3" };

function portal(status: number): Answer {
  const headers = { "content-type": "text/html; charset=utf-8" };
  return () => new Response(PORTAL, { status, headers });
}

/** Sends on without end. */
function endless(): Response {
  const bytes = new TextEncoder().encode("rubbish ".repeat(1_000));
  return new Response(new ReadableStream({ pull: (to) => to.enqueue(bytes) }));
}

const ANSWERS: readonly (readonly [string, Answer, RegExp])[] = [
  ["a portal", portal(200), /BadResponse .*is a web page \(200\), not a JSON/],
  ["a portal that forbids", portal(403), /BadResponse .*is a web page \(403\)/],
  ["a portal that knows nothing", portal(404), /BadResponse .*is a web page \(404\)/],
  ["a portal that wants it otherwise", portal(422), /BadResponse .*is a web page \(422\)/],
  ["a text", () => new Response("hello"), /BadResponse .*not a JSON object; no API server answers/],
  ["other JSON", () => Response.json({ status: "up" }), /BadResponse .*says no gitVersion/],
  ["a list", () => Response.json([1, 2]), /BadResponse .*says no gitVersion/],
  ["bytes without an end", endless, /BadResponse .*says no gitVersion: .*larger than 65536 bytes/],
  ["half an answer", () => new Response(new Pipe().stream), /Timeout .*no answer from/],
  ["silence", (_, raw) => silence(raw), /Timeout .*no answer from/],
  [
    "a redirect",
    () => new Response(null, { status: 302, headers: { location: "http://portal.example/" } }),
    /BadResponse .*leads elsewhere \(302\), to http:\/\/portal\.example\//,
  ],
  ["a failure", () => new Response("no", { status: 500 }), /ServerError .*500: no/],
  ["a refusal", () => new Response(null, { status: 401 }), /Unauthorized .*401/],
];

/** Nothing is waited out but what never comes. */
function patienceFor(expected: RegExp): number | undefined {
  return expected.source.startsWith("Timeout") ? 300 : undefined;
}

/** What is said of it; `patience` in milliseconds, of what never answers. */
async function said(client: KubeClient, patience?: number): Promise<string> {
  try {
    return `version ${await client.version(patience === undefined ? {} : { timeout: patience })}`;
  } catch (error) {
    assert(error instanceof KubeError, String(error));
    return `${error.reason} ${describeError(error)}`;
  }
}

/** A client of a kubeconfig in a file, and its clock. */
async function withClient(
  kubeconfig: string,
  action: (client: KubeClient, path: string, clock: TestClock) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const path = `${directory}/kubeconfig`;
    await Deno.writeTextFile(path, kubeconfig);
    const clock = new TestClock();
    const client = KubeClient.fromKubeconfig(path, { clock });
    await action(client, path, clock);
    client.close();
  });
}

for (const [name, answer, expected] of ANSWERS) {
  Deno.test(`in the place of an API server, ${name} is told, and a new kubeconfig is followed`, async () => {
    await using wrong = new ApiPeer(answer);
    await using right = new ApiPeer(() => Response.json(VERSION));
    await withClient(wrong.kubeconfig, async (client, path, clock) => {
      assert.match(await said(client, patienceFor(expected)), expected);
      await Deno.writeTextFile(path, right.kubeconfig);
      clock.advance(5_000);
      assert.equal(await said(client), "version v1.36.3");
      assert.equal(client.server, right.url);
    });
  });

  Deno.test(`in the place of an API server, ${name} may give way to one`, async () => {
    await using peer = new ApiPeer(answer);
    await withClient(peer.kubeconfig, async (client) => {
      assert.match(await said(client, patienceFor(expected)), expected);
      peer.answer = () => Response.json(VERSION);
      assert.equal(await said(client), "version v1.36.3");
    });
  });
}

Deno.test("a server of another authority is not spoken to, and a new kubeconfig is followed", async () => {
  await using peer = new ApiPeer(() => Response.json(VERSION));
  const unknown = peer.kubeconfig.replace(/"certificate-authority-data":"[^"]*"/, '"x":""');
  assert.notEqual(unknown, peer.kubeconfig);
  await withClient(unknown, async (client, path, clock) => {
    assert.match(await said(client), /Unreachable .*check the certificate authority/);
    assert.equal(peer.seen.length, 0);
    await Deno.writeTextFile(path, peer.kubeconfig);
    clock.advance(5_000);
    assert.equal(await said(client), "version v1.36.3");
  });
});

Deno.test("after an answer that was none, the next request has a connection of its own", async () => {
  using server = new StickyPortal();
  const access = { server: server.url, ca: pem("ca.crt") };
  const client = KubeClient.fromAccess(access);
  assert.match(await said(client), /BadResponse .*not a JSON object/);
  assert.equal(await said(client), "version v1.36.3");
  assert.equal(await said(client), "version v1.36.3");
  assert.equal(server.connections, 2);
  client.close();
});

/** As behind what leads each connection for good to where it was led first: the first one is wrong. */
class StickyPortal implements Disposable {
  connections = 0;
  readonly #listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert: pem("server.crt"),
    key: pem("server.key"),
  });
  readonly #open = new Set<Deno.TlsConn>();

  constructor() {
    void this.#accept();
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#listener.addr as Deno.NetAddr).port}`;
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#open.add(connection);
      const body = this.connections++ === 0 ? "sign in" : JSON.stringify(VERSION);
      void this.#serve(connection, body).catch(() => {});
    }
  }

  async #serve(connection: Deno.TlsConn, body: string): Promise<void> {
    const answer = `HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    const buffer = new Uint8Array(8 << 10);
    let text = "";
    for (let count; (count = await connection.read(buffer)) !== null;) {
      text += new TextDecoder().decode(buffer.subarray(0, count));
      if (!text.endsWith("\r\n\r\n")) continue;
      text = "";
      await connection.write(new TextEncoder().encode(answer));
    }
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of this.#open) {
      try {
        connection.close();
      } catch {
        // The other side was first.
      }
    }
  }
}
