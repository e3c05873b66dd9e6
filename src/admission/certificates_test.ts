import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import {
  ANY_TIME,
  issueCertificates,
  type IssuedCertificates,
  SERVER_DNS_NAME,
} from "./certificates.ts";
import { serveAdmission } from "./serve.ts";
import { hasOpenssl, openssl, VERIFY } from "./testing.ts";

/** 0 is 1970, where a node without a battery starts. */
const MOMENTS = [0, Date.UTC(2026, 10, 23) / 1000, Date.UTC(2199, 0) / 1000];

if (hasOpenssl()) {
  Deno.test("openssl's strict verifier accepts the chain at any time", async () => {
    const issued = issueCertificates();
    for (const moment of MOMENTS) {
      for (const name of [["-verify_hostname", SERVER_DNS_NAME], ["-verify_ip", "::1"]]) {
        const result = await openssl(
          issued,
          ...[...VERIFY, ...name, "-attime", String(moment), "-CAfile", "ca.pem", "cert.pem"],
        );
        assert.equal(result.code, 0, result.output);
      }
    }
  });

  Deno.test("another CA, another name or another time is refused", async () => {
    const issued = issueCertificates({
      server: { notBefore: new Date("2020-01-01"), notAfter: new Date("2021-01-01") },
    });
    const inTime = ["-attime", String(Date.UTC(2020, 5) / 1000), "-CAfile", "ca.pem", "cert.pem"];
    assert.equal((await openssl(issued, ...VERIFY, ...inTime)).code, 0);
    const cases: [IssuedCertificates, string[], RegExp][] = [
      [{ ...issued, ca: issueCertificates().ca }, inTime, /signature failure|unable to get/],
      [issued, ["-verify_ip", "127.0.0.2", ...inTime], /IP address mismatch/],
      [issued, ["-verify_hostname", "zarf.svc", ...inTime], /hostname mismatch/],
      [issued, ["-attime", "0", "-CAfile", "ca.pem", "cert.pem"], /not yet valid/],
      [issued, ["-CAfile", "ca.pem", "cert.pem"], /expired/],
    ];
    for (const [certificates, args, why] of cases) {
      const result = await openssl(certificates, ...VERIFY, ...args);
      assert.notEqual(result.code, 0);
      assert.match(result.output, why);
    }
  });

  Deno.test("the extensions are those of a CA and of a server, and nothing more", async () => {
    const issued = issueCertificates();
    const text = ["-noout", "-text", "-in"];
    const ca = (await openssl(issued, "x509", ...text, "ca.pem")).output;
    assert.match(ca, /Basic Constraints: critical\s+CA:TRUE, pathlen:0\n/);
    assert.match(ca, /Key Usage: critical\s+Certificate Sign, CRL Sign\n/);
    const cert = (await openssl(issued, "x509", ...text, "cert.pem")).output;
    assert.match(cert, /Basic Constraints: critical\s+CA:FALSE\n/);
    assert.match(cert, /Key Usage: critical\s+Digital Signature\n/);
    assert.match(cert, /Extended Key Usage:\s+TLS Web Server Authentication\n/);
    assert.match(
      cert,
      /DNS:agent-hook\.zarf\.svc, IP Address:127\.0\.0\.1, IP Address:0:0:0:0:0:0:0:1\n/,
    );
    const subject = /Subject Key Identifier:\s+([0-9A-F:]{59})\n/;
    const authority = /Authority Key Identifier:\s+(?:keyid:)?([0-9A-F:]{59})\n/;
    assert.equal(authority.exec(cert)?.[1], subject.exec(ca)?.[1]);
    assert.notEqual(subject.exec(cert)?.[1], subject.exec(ca)?.[1]);
    assert.match(
      cert,
      /Not Before: Jan {2}1 00:00:00 1970 GMT\s+Not After : Dec 31 23:59:59 9999 GMT/,
    );
  });
}

Deno.test("the certificate is the CA's, in its name, and its serial number is its own", () => {
  const [first, second] = [issueCertificates(), issueCertificates()];
  const cert = new X509Certificate(first.cert);
  const ca = new X509Certificate(first.ca);
  assert.equal(cert.verify(ca.publicKey), true);
  assert.equal(cert.verify(new X509Certificate(second.ca).publicKey), false);
  assert.equal(cert.issuer, ca.subject);
  assert.notEqual(cert.serialNumber, new X509Certificate(second.cert).serialNumber);
  assert.ok(ANY_TIME.notBefore.getTime() === 0);
});

Deno.test("a client that trusts the CA connects, any other does not", async () => {
  const { ca, cert, key } = issueCertificates();
  const server = serveAdmission(() => Promise.resolve(new Response("hello")), {
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert, key },
  });
  const url = `https://127.0.0.1:${server.port}/`;
  const ask = async (caCerts: string[]) => {
    using client = Deno.createHttpClient({ caCerts });
    return await (await fetch(url, { client })).text();
  };
  try {
    assert.equal(await ask([ca]), "hello");
    await assert.rejects(ask([issueCertificates().ca]), /UnknownIssuer|BadSignature|certificate/);
  } finally {
    await server.shutdown();
  }
});
