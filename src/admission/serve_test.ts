import assert from "node:assert/strict";
import { freePort } from "../../test/fakes/free_address.ts";
import { fileURLToPath } from "node:url";
import { eventually } from "../../test/fakes/testing.ts";
import { describeError, systemClock } from "../std/mod.ts";
import { issueCertificates } from "./certificates.ts";
import { AdmissionError, type AdmissionReason } from "./errors.ts";
import { serveAdmission } from "./serve.ts";

const { ca, cert, key } = issueCertificates();
const tls = { cert, key };
const answer = () => Promise.resolve(new Response("hello"));

function refusal(options: Parameters<typeof serveAdmission>[1]): AdmissionError {
  try {
    serveAdmission(answer, options);
  } catch (error) {
    assert.ok(error instanceof AdmissionError);
    return error;
  }
  assert.fail("it listens");
}

Deno.test("an address or a certificate that cannot be used is a reason to wait, with a remedy", async () => {
  const first = serveAdmission(answer, { hostname: "127.0.0.1", port: 0, tls });
  const { port } = first;
  const other = issueCertificates();
  const cases: [AdmissionReason, Parameters<typeof serveAdmission>[1], RegExp][] = [
    ["AddressInUse", { hostname: "127.0.0.1", port, tls }, /another program.*--admission-address/],
    ["AddressNotAvailable", { hostname: "192.0.2.1", port: 0, tls }, /no such address/],
    ["TlsInvalid", { hostname: "127.0.0.1", port: 0, tls: { cert: "x", key } }, /delete Secret/],
    ["TlsInvalid", { hostname: "127.0.0.1", port: 0, tls: { cert, key: "x" } }, /delete Secret/],
    ["TlsInvalid", { hostname: "127.0.0.1", port: 0, tls: { cert, key: other.key } }, /Secret/],
  ];
  try {
    for (const [reason, options, text] of cases) {
      const error = refusal(options);
      assert.equal(error.reason, reason);
      assert.equal(error.disposition, "wait");
      assert.match(describeError(error), text);
      assert.ok(!describeError(error).includes("PRIVATE KEY"));
    }
  } finally {
    await first.shutdown();
  }
});

Deno.test("a shut down server answers what it had begun and gives its port back", async () => {
  const begun = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  const server = serveAdmission(async () => {
    begun.resolve();
    await go.promise;
    return new Response("late");
    // One that nobody is given in between.
  }, { hostname: "127.0.0.1", port: freePort(), tls });
  const { port } = server;
  using client = Deno.createHttpClient({ caCerts: [ca] });
  const asked = fetch(`https://127.0.0.1:${port}/`, { client });
  await begun.promise;
  const down = server.shutdown();
  go.resolve();
  assert.equal(await (await asked).text(), "late");
  await down;
  await server.finished;
  const again = serveAdmission(answer, { hostname: "127.0.0.1", port, tls });
  assert.equal(again.port, port);
  await again.shutdown();
});

Deno.test("a signal ends the server", async () => {
  const ending = new AbortController();
  const server = serveAdmission(answer, {
    hostname: "127.0.0.1",
    port: 0,
    tls,
    signal: ending.signal,
  });
  ending.abort();
  await server.finished;
});

/** Whether a new connection to the server is one that trusts `ca`. */
async function isTrusted(port: number, ca: string): Promise<boolean> {
  using client = Deno.createHttpClient({ caCerts: [ca] });
  try {
    return (await (await fetch(`https://127.0.0.1:${port}/`, { client })).text()) === "hello";
  } catch {
    return false;
  }
}

Deno.test("another certificate is for new connections, and the old ones go on", async () => {
  const next = issueCertificates();
  const server = serveAdmission(answer, { hostname: "127.0.0.1", port: 0, tls });
  const url = `https://127.0.0.1:${server.port}/`;
  try {
    using old = Deno.createHttpClient({ caCerts: [ca] });
    assert.equal(await (await fetch(url, { client: old })).text(), "hello");
    server.useCertificate({ cert: next.cert, key: next.key });
    assert.equal(await (await fetch(url, { client: old })).text(), "hello");
    assert.deepEqual(
      [await isTrusted(server.port, ca), await isTrusted(server.port, next.ca)],
      [false, true],
    );
  } finally {
    await server.shutdown();
  }
});

Deno.test("a certificate that cannot be used leaves the present one in place", async () => {
  const server = serveAdmission(answer, { hostname: "127.0.0.1", port: 0, tls });
  try {
    for (const bad of [{ cert: "x", key }, { cert, key: issueCertificates().key }]) {
      assert.throws(
        () => server.useCertificate(bad),
        (error) => error instanceof AdmissionError && error.reason === "TlsInvalid",
      );
      assert.equal(await isTrusted(server.port, ca), true);
    }
  } finally {
    await server.shutdown();
  }
});

Deno.test("of many requests none is lost while the certificate changes", async () => {
  const all = [{ ca, cert, key }, ...Array.from({ length: 20 }, () => issueCertificates())];
  const server = serveAdmission(answer, { hostname: "127.0.0.1", port: 0, tls });
  const url = `https://127.0.0.1:${server.port}/`;
  const caCerts = all.map(({ ca }) => ca);
  let answered = 0;
  let isOver = false;
  const ask = async (isAnew: boolean) => {
    let client = Deno.createHttpClient({ caCerts });
    while (!isOver) {
      assert.equal(await (await fetch(url, { client, method: "POST", body: "x" })).text(), "hello");
      answered++;
      if (!isAnew) continue;
      client.close();
      client = Deno.createHttpClient({ caCerts });
    }
    client.close();
  };
  const asking = Promise.all([...Array(8).fill(false), true, true].map(ask));
  for (const { cert, key } of all) {
    const before = answered;
    server.useCertificate({ cert, key });
    await Promise.race([asking, eventually(() => answered > before + 40)]);
  }
  isOver = true;
  await asking;
  assert.ok(answered > 800, `${answered} requests`);
  await server.shutdown();
});

Deno.test("a request that nobody answers is broken off when a server that shuts down has waited enough", async () => {
  const begun = Promise.withResolvers<void>();
  const late = Promise.withResolvers<Response>();
  const clock = { ...systemClock, sleep: (ms: number) => systemClock.sleep(ms / 100) };
  const server = serveAdmission(() => {
    begun.resolve();
    return late.promise;
  }, { hostname: "127.0.0.1", port: 0, tls, clock });
  using client = Deno.createHttpClient({ caCerts: [ca] });
  const asked = assert.rejects(fetch(`https://127.0.0.1:${server.port}/`, { client }));
  await begun.promise;
  const down = server.shutdown();
  await asked;
  late.resolve(new Response());
  await down;
});

Deno.test("a process that ran out of file descriptors serves again by itself", async () => {
  const child = fileURLToPath(new URL("serve_test_child.ts", import.meta.url));
  const limited = ["-c", 'ulimit -n 200; exec "$0" "$@"'];
  const { stdout, stderr } = await new Deno.Command("sh", {
    args: [...limited, Deno.execPath(), "run", "-A", "--no-check", child],
  }).output();
  const decoder = new TextDecoder();
  assert.equal(decoder.decode(stdout), "served\n", decoder.decode(stderr));
});
