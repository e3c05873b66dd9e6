import assert from "node:assert/strict";
import { MAX_HEAD } from "./http_head.ts";
import { MAX_CONNECTIONS } from "./http_server.ts";
import type { RegistryHandler } from "./handler.ts";
import { type RegistryServer, serveRegistry } from "./serve.ts";
import { eventually } from "./testing.ts";

/** Answers with the method and the path. */
const echo: RegistryHandler = (request) => {
  const body = `${request.method} ${new URL(request.url).pathname}`;
  const headers = { "content-length": String(body.length) };
  return Promise.resolve(new Response(request.method === "HEAD" ? null : body, { headers }));
};

async function withServer(
  handler: RegistryHandler,
  action: (server: RegistryServer) => Promise<void>,
): Promise<void> {
  const server = serveRegistry(handler, { hostname: "127.0.0.1", port: 0 });
  try {
    await action(server);
  } finally {
    await server.shutdown();
  }
}

/** Sends `text` on one connection and reads until the server closes it. */
async function exchange({ port }: RegistryServer, text: string): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  await connection.write(new TextEncoder().encode(text));
  let answer = "";
  const buffer = new Uint8Array(65_536);
  for (;;) {
    const count = await connection.read(buffer);
    if (count === null) return answer;
    answer += new TextDecoder().decode(buffer.subarray(0, count));
  }
}

function bodies(answer: string): string[] {
  return answer.split(/HTTP\/1\.1 .*?\r\n\r\n/s).slice(1);
}

Deno.test("requests that come at once are answered in their order", () =>
  withServer(echo, async (server) => {
    const answer = await exchange(
      server,
      "GET /a HTTP/1.1\r\n\r\nHEAD /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\nConnection: close\r\n\r\n",
    );
    assert.deepEqual(bodies(answer), ["GET /a", "", "GET /c"]);
    assert.match(answer, /connection: keep-alive[^]*connection: close/);
  }));

Deno.test("a client that speaks TLS is told at once, in HTTP, that nobody here does", () =>
  withServer(echo, async ({ port }) => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    const started = performance.now();
    // The start of a ClientHello: containerd sends one before it tries plain HTTP.
    await connection.write(
      Uint8Array.of(0x16, 0x03, 0x01, 0x00, 0x05, 0x01, 0x00, 0x00, 0x01, 0x03),
    );
    const buffer = new Uint8Array(1_024);
    const count = await connection.read(buffer) ?? 0;
    assert.match(new TextDecoder().decode(buffer.subarray(0, count)), /^HTTP\/1\.1 400 /);
    assert.equal(await connection.read(buffer), null, "and the connection ends");
    assert(performance.now() - started < 9_000, "sooner than containerd gives up");
  }));

Deno.test("HTTP/1.0 gets one answer and the end", () =>
  withServer(echo, async (server) => {
    assert.deepEqual(bodies(await exchange(server, "GET /a HTTP/1.0\r\n\r\n")), ["GET /a"]);
  }));

Deno.test("a head that comes in pieces is put together", () =>
  withServer(echo, async ({ port }) => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    for (const piece of ["GE", "T /pieces HT", "TP/1.1\r", "\n\r", "\n"]) {
      await connection.write(new TextEncoder().encode(piece));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const buffer = new Uint8Array(4096);
    let answer = "";
    while (!answer.includes("GET /pieces")) {
      const count = await connection.read(buffer);
      assert.ok(count !== null);
      answer += new TextDecoder().decode(buffer.subarray(0, count));
    }
  }));

for (
  const text of [
    "nonsense\r\n\r\n",
    "GET / HTTP/1.1\r\nno colon\r\n\r\n",
    "TRACE / HTTP/1.1\r\n\r\n",
  ]
) {
  Deno.test(`${JSON.stringify(text)} is 400 and the end`, () =>
    withServer(echo, async (server) => {
      assert.match(await exchange(server, text), /^HTTP\/1\.1 400 /);
    }));
}

Deno.test("an endless head is cut, and the next client served", () =>
  withServer(echo, async (server) => {
    const long = `GET / HTTP/1.1\r\nA: ${"a".repeat(MAX_HEAD)}`;
    await exchange(server, long).catch(() => {});
    const next = await exchange(server, "GET /next HTTP/1.0\r\n\r\n");
    assert.deepEqual(bodies(next), ["GET /next"]);
  }));

Deno.test("a client that sends a body reads its answer and then the end", () =>
  withServer(echo, async (server) => {
    const answer = await exchange(
      server,
      `PUT /a HTTP/1.1\r\nContent-Length: 200000\r\n\r\n${"x".repeat(200_000)}`,
    );
    assert.deepEqual(bodies(answer), ["PUT /a"]);
  }));

Deno.test("a body without a length ends with the connection", () =>
  withServer(() => Promise.resolve(new Response("whole")), async (server) => {
    assert.deepEqual(bodies(await exchange(server, "GET / HTTP/1.1\r\n\r\n")), ["whole"]);
  }));

Deno.test("a body that breaks ends the connection and is no whole answer", () => {
  const broken = () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(10)),
      pull: (controller) => controller.error(new Error("broken")),
    });
    return Promise.resolve(new Response(body, { headers: { "content-length": "100" } }));
  };
  return withServer(broken, async ({ port }) => {
    await assert.rejects(async () => {
      await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer();
    });
  });
});

Deno.test("a shutdown lets the request in flight end, and idle connections go", async () => {
  const gate = Promise.withResolvers<void>();
  let asked = false;
  const slow: RegistryHandler = async (request) => {
    asked = true;
    await gate.promise;
    return await echo(request);
  };
  const server = serveRegistry(slow, { hostname: "127.0.0.1", port: 0 });
  using idle = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
  const answer = exchange(server, "GET /slow HTTP/1.1\r\n\r\n");
  await eventually(() => asked, "the request is in flight");
  const down = server.shutdown();
  assert.equal(await idle.read(new Uint8Array(1)), null);
  gate.resolve();
  assert.deepEqual(bodies(await answer), ["GET /slow"]);
  await down;
});

Deno.test("connections have a limit, and the place of one that ended is free", () =>
  withServer(echo, async (server) => {
    const connect = () => Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const held: Deno.Conn[] = [];
    try {
      for (let index = 0; index < MAX_CONNECTIONS; index++) held.push(await connect());
      using refused = await connect();
      assert.equal(await refused.read(new Uint8Array(1)).catch(() => null), null);
    } finally {
      for (const connection of held) connection.close();
    }
    // The server sees the ends when it comes to them; until then a client is sent away.
    const deadline = performance.now() + 30_000;
    let answer = "";
    while (answer === "" && performance.now() < deadline) {
      answer = await exchange(server, "GET /free HTTP/1.0\r\n\r\n").catch(() => "");
    }
    assert.deepEqual(bodies(answer), ["GET /free"]);
  }));

Deno.test("a head is read up to its limit, to the last byte", async (t) => {
  const head = (length: number) => {
    const start = "GET /long HTTP/1.0\r\nA: ";
    return `${start}${"a".repeat(length - start.length - 4)}\r\n\r\n`;
  };
  for (const [length, answered] of [[MAX_HEAD, true], [MAX_HEAD + 1, false]] as const) {
    await t.step(`${length} bytes`, () =>
      withServer(echo, async (server) => {
        const answer = await exchange(server, head(length)).catch(() => "");
        assert.deepEqual(bodies(answer), answered ? ["GET /long"] : []);
      }));
  }
});

Deno.test("of requests that come at once, what follows a refused one is not answered", () =>
  withServer(echo, async (server) => {
    const answer = await exchange(server, "nonsense\r\n\r\nGET /after HTTP/1.1\r\n\r\n");
    assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.equal(answer.includes("/after"), false);
  }));

Deno.test("a body is never taken for the next request", () =>
  withServer(echo, async (server) => {
    const smuggled = "GET /smuggled HTTP/1.1\r\n\r\n";
    for (const header of [`Content-Length: ${smuggled.length}`, "Transfer-Encoding: chunked"]) {
      const answer = await exchange(server, `PUT /a HTTP/1.1\r\n${header}\r\n\r\n${smuggled}`);
      assert.deepEqual(bodies(answer), ["PUT /a"]);
      assert.match(answer, /connection: close/);
    }
  }));

Deno.test("an answer without a body says so, unless its status does", () => {
  const empty: RegistryHandler = (request) => {
    const status = Number(new URL(request.url).pathname.slice(1));
    return Promise.resolve(new Response(null, { status }));
  };
  return withServer(empty, async (server) => {
    for (const [status, length] of [[404, "content-length: 0"], [304, undefined]] as const) {
      const answer = await exchange(server, `GET /${status} HTTP/1.0\r\n\r\n`);
      assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
      assert.equal(/content-length: \d+/.exec(answer)?.[0], length);
      assert.match(answer, /\r\ndate: \w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT\r\n/);
    }
  });
});
