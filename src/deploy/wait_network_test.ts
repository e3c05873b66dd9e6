import assert from "node:assert/strict";
import { freeAddress } from "../../test/fakes/free_address.ts";
import { pem } from "../../test/fakes/api_peer.ts";
import { DeployError } from "./errors.ts";
import { type NetworkWait, waitForNetwork } from "./wait_network.ts";

/** Answers with the status that the path names; `/hang` never does. */
async function withServer(
  action: (address: string) => Promise<void>,
  tls: { cert: string; key: string } | Record<never, never> = {},
): Promise<void> {
  const stop = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {}, signal: stop.signal, ...tls },
    (request) => {
      const { pathname } = new URL(request.url);
      if (pathname === "/hang") return new Promise<Response>(() => {});
      if (pathname === "/moved") return Response.redirect(new URL("/200", request.url), 302);
      const status = Number(pathname.slice(1)) || 200;
      return new Response(status === 204 ? null : "x", { status });
    },
  );
  try {
    await action(`127.0.0.1:${server.addr.port}`);
  } finally {
    stop.abort();
    await server.finished.catch(() => {});
  }
}

/** One attempt, and what it was wanting. */
async function once(wait: NetworkWait): Promise<string> {
  const requestTimeout = wait.address.endsWith("/hang") ? 300 : 30_000;
  try {
    await waitForNetwork(wait, { timeout: 0, requestTimeout });
    return "met";
  } catch (error) {
    assert.ok(error instanceof DeployError);
    return `${error.reason}: ${error.message}`;
  }
}

Deno.test("an HTTP server is waited for by its status", () =>
  withServer(async (address) => {
    const rows: [path: string, code: number, expected: RegExp][] = [
      ["", 0, /^met$/],
      ["/204", 0, /^met$/],
      ["/404", 0, /^TimedOut: http .*not so within 0 s: the status is 404$/],
      ["/404", 404, /^met$/],
      ["/404", 200, /the status is 404/],
      ["/moved", 200, /^met$/],
      ["/hang", 0, /there was no answer in time/],
      ["", 299, /^PackageBroken: 299 is no HTTP status$/],
    ];
    for (const [path, code, expected] of rows) {
      const said = await once({ protocol: "http", address: `${address}${path}`, code });
      assert.match(said, expected, `${path} ${code}`);
    }
  }));

Deno.test("a certificate that nobody trusts is no answer", () =>
  withServer(async (address) => {
    assert.match(
      await once({ protocol: "https", address, code: 0 }),
      /^TimedOut: https .*: .*certificate/,
    );
  }, { cert: pem("server.crt"), key: pem("server.key") }));

Deno.test("a port is waited for until somebody listens", async () => {
  const address = freeAddress();
  assert.match(await once({ protocol: "tcp", address, code: 0 }), /^TimedOut: tcp .*refused/);
  assert.match(await once({ protocol: "http", address, code: 0 }), /^TimedOut: http /);
  const [hostname = "", port] = address.split(":");
  const waiting = waitForNetwork({ protocol: "tcp", address, code: 0 }, { timeout: 20_000 });
  await new Promise((resolve) => setTimeout(resolve, 300));
  using _listener = Deno.listen({ hostname, port: Number(port) });
  await waiting;
});

Deno.test("what can never answer is told at once", async () => {
  const rows: [wait: Partial<NetworkWait>, expected: RegExp][] = [
    [{ protocol: "udp" }, /^PackageBroken: "udp" is no protocol/],
    [{ address: "host" }, /^PackageBroken: "host" is no HOST:PORT/],
    [{ address: "host:http" }, /^PackageBroken/],
    [{ protocol: "http", address: "host:port" }, /^PackageBroken: "http:\/\/host:port"/],
  ];
  for (const [wait, expected] of rows) {
    const given = { protocol: "tcp", address: "h:1", code: 0, ...wait };
    assert.match(await once(given), expected, JSON.stringify(wait));
  }
});

Deno.test("an IPv6 address is written with brackets", async () => {
  using listener = Deno.listen({ hostname: "::1", port: 0 });
  const address = `[::1]:${listener.addr.port}`;
  assert.equal(await once({ protocol: "tcp", address, code: 0 }), "met");
});

Deno.test("a wait is broken off by its signal", async () => {
  const stop = new AbortController();
  const options = { timeout: 60_000, signal: stop.signal };
  const waiting = waitForNetwork({ protocol: "tcp", address: freeAddress(), code: 0 }, options);
  setTimeout(() => stop.abort(), 100);
  await assert.rejects(
    waiting,
    (error) => error instanceof DeployError && error.reason === "Cancelled",
  );
});
