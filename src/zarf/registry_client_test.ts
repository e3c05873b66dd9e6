import assert from "node:assert/strict";
import { despitePauses } from "../../test/fakes/testing.ts";
import { ZarfError } from "./errors.ts";
import { RegistryClient } from "./registry_client.ts";

const CREDENTIALS = { username: "zarf-push", password: "geheim~!-ü" };

/** What one connection does, byte by byte. */
type Script = (connection: Deno.TcpConn, head: string) => Promise<void>;

/** A server that speaks HTTP as badly as a script wants it to. */
class Peer implements AsyncDisposable {
  /** Request lines and headers, as they came. */
  readonly heads: string[] = [];
  readonly url: string;
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #open = new Set<Deno.TcpConn>();
  readonly #served: Promise<void>;

  constructor(script: Script) {
    this.url = `http://127.0.0.1:${this.#listener.addr.port}`;
    this.#served = this.#serve(script);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    for (const connection of this.#open) quietly(() => connection.close());
    await this.#served;
  }

  async #serve(script: Script): Promise<void> {
    for await (const connection of this.#listener) {
      this.#open.add(connection);
      this.#one(connection, script).catch(() => {});
    }
  }

  async #one(connection: Deno.TcpConn, script: Script): Promise<void> {
    const head = await readHead(connection);
    this.heads.push(head);
    await script(connection, head);
  }
}

function quietly(action: () => void): void {
  try {
    action();
  } catch {
    // It is closed already.
  }
}

async function readHead(connection: Deno.TcpConn): Promise<string> {
  let head = "";
  const buffer = new Uint8Array(1);
  while (!head.endsWith("\r\n\r\n")) {
    if (await connection.read(buffer) === null) throw new Error("no request");
    head += String.fromCharCode(buffer[0] ?? 0);
  }
  return head;
}

/** Reads until `size` bytes have come. */
async function readBody(connection: Deno.TcpConn, size: number): Promise<string> {
  const buffer = new Uint8Array(65_536);
  let text = "";
  while (text.length < size) {
    const count = await connection.read(buffer);
    if (count === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return text;
}

async function say(connection: Deno.TcpConn, text: string): Promise<void> {
  const writer = connection.writable.getWriter();
  await writer.write(new TextEncoder().encode(text));
  writer.releaseLock();
}

function answer(status: string, headers: readonly string[] = [], body = ""): string {
  return [`HTTP/1.1 ${status}`, `content-length: ${body.length}`, ...headers, "", body].join(
    "\r\n",
  );
}

const SILENT: Script = () => new Promise(() => {});
const OK: Script = (connection) => say(connection, answer("200 OK"));

/** A body of `chunks` chunks of 64 KiB that says whether its reader let go of it. */
function bodyOf(chunks: number) {
  const state = { cancelled: false, sent: 0 };
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (state.sent >= chunks) return controller.close();
      state.sent++;
      controller.enqueue(new Uint8Array(65_536));
    },
    cancel() {
      state.cancelled = true;
    },
  }, { highWaterMark: 0 });
  return { state, body: { size: chunks * 65_536, stream } };
}

function isUnavailable(cause?: RegExp) {
  return (error: unknown): true => {
    assert.ok(error instanceof ZarfError, String(error));
    assert.equal(error.reason, "RegistryUnavailable");
    assert.equal(error.disposition, "retry");
    assert.match(error.message, /^(GET|PUT) to the registry at 127\.0\.0\.1:\d+ got no answer$/);
    assert.doesNotMatch(error.message, /geheim/);
    if (cause !== undefined) assert.match(String(error.cause), cause);
    return true;
  };
}

Deno.test("a request says who asks, where, and how long its body is", async () => {
  const rows: [method: "GET" | "HEAD" | "POST" | "PUT", size: number | undefined, says?: string][] =
    [
      ["GET", undefined],
      ["HEAD", undefined],
      ["POST", undefined, "0"],
      ["PUT", undefined, "0"],
      ["PUT", 5, "5"],
    ];
  for (const [method, size, says] of rows) {
    let body = "";
    await using peer = new Peer(async (connection) => {
      if (size !== undefined) body = await readBody(connection, size);
      await OK(connection, "");
    });
    const bytes = new TextEncoder().encode("x".repeat(size ?? 0));
    await new RegistryClient(peer.url, CREDENTIALS).send({
      method,
      path: "/v2/a/b?c=d",
      headers: { accept: "text/x" },
      ...(size === undefined ? {} : { body: { size, stream: new Blob([bytes]).stream() } }),
    });
    const [head = ""] = peer.heads;
    const [line, ...headers] = head.trimEnd().split("\r\n");
    const sent = new Map(headers.map((each) => {
      const [name = "", value = ""] = each.split(": ");
      return [name.toLowerCase(), value];
    }));
    assert.equal(line, `${method} /v2/a/b?c=d HTTP/1.1`);
    assert.equal(sent.get("host"), peer.url.slice("http://".length));
    const given = (sent.get("authorization") ?? "").replace("Basic ", "");
    const text = new TextDecoder().decode(Uint8Array.fromBase64(given));
    assert.equal(text, "zarf-push:geheim~!-ü");
    assert.equal(sent.get("accept"), "text/x");
    assert.equal(sent.get("content-length"), says, method);
    assert.equal(sent.get("transfer-encoding"), undefined, method);
    assert.equal(body, "x".repeat(size ?? 0));
  }
});

Deno.test("an answer comes with its status, headers and the beginning of its text", async () => {
  const long = "e".repeat(2 * 1024 * 1024);
  const rows: [status: string, text: string][] = [
    ["200 OK", ""],
    ["404 Not Found", '{"errors":[]}'],
    ["500 Internal Server Error", long],
  ];
  for (const [status, text] of rows) {
    await using peer = new Peer((connection) =>
      say(connection, answer(status, ["Docker-Content-Digest: sha256:1", "Location: /x?a=b"], text))
    );
    const got = await new RegistryClient(peer.url, CREDENTIALS)
      .send({ method: "GET", path: "/v2/" });
    assert.equal(got.status, Number(status.slice(0, 3)));
    assert.equal(got.headers["docker-content-digest"], "sha256:1");
    assert.equal(got.headers["location"], "/x?a=b");
    assert.equal(got.headers["etag"], undefined);
    assert.ok(text.startsWith(got.text), "it is the beginning");
    assert.ok(got.text.length >= Math.min(text.length, 4096));
    assert.ok(got.text.length < 200_000, `${got.text.length} of a long text are kept`);
  }
});

Deno.test("a Location is followed on the registry that is known, wherever it points", () => {
  const client = new RegistryClient("http://10.96.0.12:5000", CREDENTIALS);
  const rows: [location: string, path: string | undefined][] = [
    ["/v2/a/blobs/uploads/1", "/v2/a/blobs/uploads/1"],
    ["/v2/a/blobs/uploads/1?_state=x%3D", "/v2/a/blobs/uploads/1?_state=x%3D"],
    ["http://10.96.0.12:5000/v2/u/1?s=1", "/v2/u/1?s=1"],
    ["https://registry.example/v2/u/1", "/v2/u/1"],
    ["//evil.example/v2/u/1", "/v2/u/1"],
    ["v2/u/1", "/v2/u/1"],
    ["http://", undefined],
    ["http://[", undefined],
  ];
  for (const [location, path] of rows) assert.equal(client.locate(location), path, location);
});

Deno.test("a registry with an IPv6 address is reached", async () => {
  using listener = Deno.listen({ hostname: "::1", port: 0 });
  const served = (async () => {
    const connection = await listener.accept();
    const head = await readHead(connection);
    await say(connection, answer("204 No Content"));
    connection.close();
    return head;
  })();
  const { port } = listener.addr;
  const client = new RegistryClient(`http://[::1]:${port}`, CREDENTIALS);
  const { status } = await client.send({ method: "GET", path: "/v2/" });
  assert.equal(status, 204);
  assert.match(await served, new RegExp(`host: \\[::1\\]:${port}\r\n`, "i"));
});

Deno.test("no answer, for whatever reason, may be tried again", async (t) => {
  const rows: [name: string, script: Script][] = [
    ["a connection that is closed at once", (connection) => {
      connection.close();
      return Promise.resolve();
    }],
    ["what is no HTTP", async (connection) => {
      await say(connection, "SSH-2.0-OpenSSH_9.9\r\n");
      connection.close();
    }],
    ["an answer cut in the middle of its headers", async (connection) => {
      await say(connection, "HTTP/1.1 200 OK\r\ncontent-le");
      connection.close();
    }],
    ["an answer cut in the middle of its body", async (connection) => {
      await say(connection, "HTTP/1.1 500 Oh\r\ncontent-length: 100\r\n\r\nonly this");
      connection.close();
    }],
  ];
  for (const [name, script] of rows) {
    await t.step(name, async () => {
      await using peer = new Peer(script);
      const client = new RegistryClient(peer.url, CREDENTIALS, 5_000);
      await assert.rejects(client.send({ method: "GET", path: "/v2/" }), isUnavailable());
    });
  }
  await t.step("nobody listens", async () => {
    const { url } = await closedPeer();
    const client = new RegistryClient(url, CREDENTIALS);
    await assert.rejects(client.send({ method: "GET", path: "/v2/" }), isUnavailable(/refused/i));
  });
});

async function closedPeer(): Promise<Peer> {
  const peer = new Peer(OK);
  await peer[Symbol.asyncDispose]();
  return peer;
}

Deno.test("a registry that says nothing is given up, and one that is only slow is not", () =>
  despitePauses(async () => {
    await using silent = new Peer(SILENT);
    const patience = 1_000;
    const started = performance.now();
    await assert.rejects(
      new RegistryClient(silent.url, CREDENTIALS, patience).send({ method: "GET", path: "/v2/" }),
      isUnavailable(/stalled/),
    );
    assert.ok(performance.now() - started < 30_000, "it never says anything");

    const text = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nslowly";
    await using slow = new Peer(async (connection) => {
      for (const part of text.match(/.{1,10}/gs) ?? []) {
        await new Promise((resolve) => setTimeout(resolve, patience / 3));
        await say(connection, part);
      }
    });
    const client = new RegistryClient(slow.url, CREDENTIALS, patience);
    assert.equal((await client.send({ method: "GET", path: "/v2/" })).text, "slowly");
  }));

Deno.test("whatever ends an upload, the file that it reads is let go", async (t) => {
  const chunks = 4_000;
  const rows: [name: string, script: Script][] = [
    ["a connection cut in the middle", async (connection) => {
      await readBody(connection, 300_000);
      connection.close();
    }],
    ["a registry that takes no more", SILENT],
  ];
  for (const [name, script] of rows) {
    await t.step(name, async () => {
      await using peer = new Peer(script);
      const { state, body } = bodyOf(chunks);
      const client = new RegistryClient(peer.url, CREDENTIALS, 300);
      await assert.rejects(client.send({ method: "PUT", path: "/u", body }), isUnavailable());
      await new Promise((resolve) => setTimeout(resolve, 0));
      assert.equal(state.cancelled, true);
      assert.ok(state.sent < chunks, "most of it was never read");
    });
  }
  await t.step("a signal", async () => {
    await using peer = new Peer(SILENT);
    const { state, body } = bodyOf(chunks);
    const controller = new AbortController();
    const sent = new RegistryClient(peer.url, CREDENTIALS)
      .send({ method: "PUT", path: "/u", body, signal: controller.signal });
    setTimeout(() => controller.abort(new Error("stop here")), 100);
    await assert.rejects(sent, /stop here/);
    await new Promise((resolve) => setTimeout(resolve, 0));
    assert.equal(state.cancelled, true);
  });
});

Deno.test("an answer before the whole body ends the upload", async () => {
  await using peer = new Peer(async (connection) => {
    await readBody(connection, 100_000);
    await say(connection, answer("413 Payload Too Large", ["connection: close"], "too large"));
    await readBody(connection, Infinity);
  });
  const { state, body } = bodyOf(4_000);
  const got = await new RegistryClient(peer.url, CREDENTIALS)
    .send({ method: "PUT", path: "/u", body });
  assert.equal(got.status, 413);
  assert.equal(got.text, "too large");
  assert.ok(state.sent < 4_000);
  assert.equal(state.cancelled, true);
});

Deno.test("a signal that was there before ends a request with its own reason", async () => {
  await using peer = new Peer(OK);
  const client = new RegistryClient(peer.url, CREDENTIALS);
  const signal = AbortSignal.abort(new Error("stopped before"));
  await assert.rejects(client.send({ method: "GET", path: "/v2/", signal }), /^Error: stopped/);
});

Deno.test("a path that would end the request line is not sent", async () => {
  await using peer = new Peer(OK);
  const client = new RegistryClient(peer.url, CREDENTIALS);
  for (const path of ["/v2/a b", "/v2/a\r\nhost: x", "/v2/ü", ""]) {
    await assert.rejects(client.send({ method: "GET", path }), isUnavailable(/is no path/));
  }
  assert.deepEqual(peer.heads, []);
});
