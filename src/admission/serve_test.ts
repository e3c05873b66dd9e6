import assert from "node:assert/strict";
import { describeError } from "../std/mod.ts";
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
  }, { hostname: "127.0.0.1", port: 0, tls });
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
