import assert from "node:assert/strict";
import type { KubeObject } from "../kube/mod.ts";
import { issueCa, issueCertificates, issueServerCertificate } from "./certificates.ts";
import { newContent } from "./rotation.ts";
import {
  CA_ISSUED_AT,
  CERTIFICATE_ISSUED_AT,
  MAX_CAS,
  type ReadContent,
  readContent,
  secretOf,
} from "./tls_content.ts";
import { parseAdmissionTls } from "./tls_secret.ts";
import { AdmissionError } from "./errors.ts";

const MADE = new Date("2026-03-01T10:20:30.000Z");
const base64 = (text: string) => new TextEncoder().encode(text).toBase64();

/** A Secret as the first version wrote it, with changes to its data. */
function oldSecret(changes: Record<string, unknown> = {}, issued = issueCertificates()) {
  const { ca, caKey, cert, key } = issued;
  const data = { "ca.crt": ca, "ca.key": caKey, "tls.crt": cert, "tls.key": key };
  const encoded = Object.entries(data).map(([name, text]) => [name, base64(text)]);
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "holdfast-admission-tls", creationTimestamp: "2026-01-02T03:04:05Z" },
    data: { ...Object.fromEntries(encoded), ...changes },
  } as unknown as KubeObject;
}

Deno.test("what is written is read", () => {
  const content = newContent(MADE);
  assert.deepEqual(readContent(secretOf(content)), { ...content, flaw: undefined });
  const second = issueCa();
  const adding = {
    ...content,
    cas: [second.cert, ...content.cas],
    caKey: second.key,
    leaf: { ...content.leaf ?? assert.fail(), issuer: 1 },
  };
  assert.deepEqual(readContent(secretOf(adding)), { ...adding, flaw: undefined });
});

Deno.test("what others put beside it into the metadata stays", () => {
  const base = oldSecret();
  Object.assign(base.metadata, { annotations: { theirs: "x" }, resourceVersion: "7" });
  const { metadata } = secretOf(newContent(MADE), base);
  assert.deepEqual(metadata.annotations, {
    theirs: "x",
    [CA_ISSUED_AT]: MADE.toISOString(),
    [CERTIFICATE_ISSUED_AT]: MADE.toISOString(),
  });
  assert.equal(metadata.resourceVersion, "7");
});

Deno.test("a Secret without times, or with none that can be read, is as old as it is", () => {
  const issued = issueCertificates();
  const secret = oldSecret({}, issued);
  const created = new Date("2026-01-02T03:04:05Z");
  for (const stamp of [undefined, "yesterday", ""]) {
    secret.metadata.annotations = stamp === undefined ? {} : { [CA_ISSUED_AT]: stamp };
    const content = readContent(secret);
    assert.deepEqual(content, {
      cas: [issued.ca],
      caKey: issued.caKey,
      leaf: { cert: issued.cert, key: issued.key, issuer: 0 },
      caIssuedAt: created,
      leafIssuedAt: created,
      flaw: undefined,
    });
  }
  secret.metadata.annotations = { [CA_ISSUED_AT]: "2026-02-02T00:00:00Z" };
  assert.deepEqual(readContent(secret).caIssuedAt, new Date("2026-02-02T00:00:00Z"));
  const undated = { ...secret, metadata: { name: "holdfast-admission-tls" } };
  assert.deepEqual(readContent(undated).leafIssuedAt, new Date(0));
});

Deno.test("what cannot be used is left out, named, and the rest is kept", () => {
  const issued = issueCertificates();
  const other = issueCertificates();
  const many = Array.from({ length: MAX_CAS + 1 }, () => issueCa().cert).join("");
  const whole = { cas: 1, canSign: true, hasLeaf: true };
  const leafless = { ...whole, hasLeaf: false };
  const none = { cas: 0, canSign: false, hasLeaf: false };
  const cases: [Record<string, unknown>, typeof whole, RegExp | undefined][] = [
    [{}, whole, undefined],
    [{ "more": "x" }, whole, undefined],
    [{ "ca.key": undefined }, { ...whole, canSign: false }, undefined],
    [{ "ca.key": base64(other.caKey) }, { ...whole, canSign: false }, undefined],
    [{ "ca.key": base64("no key") }, { ...whole, canSign: false }, undefined],
    [{ "tls.key": undefined }, leafless, /data\.tls\.key is not the key/],
    [{ "tls.key": 5 }, leafless, /data\.tls\.key is not the key/],
    [{ "tls.key": "!" }, leafless, /data\.tls\.key is not the key/],
    [{ "tls.key": base64(issued.ca) }, leafless, /data\.tls\.key is not the key/],
    [{ "tls.key": base64(other.key) }, leafless, /data\.tls\.key is not the key/],
    [{ "tls.crt": undefined }, leafless, /data\.tls\.crt is not a certificate/],
    [{ "tls.crt": base64("text") }, leafless, /data\.tls\.crt is not a certificate/],
    [
      { "tls.crt": base64(other.cert), "tls.key": base64(other.key) },
      leafless,
      /data\.tls\.crt is by none of data\.ca\.crt/,
    ],
    [{ "ca.crt": undefined }, none, /data\.ca\.crt/],
    [{ "ca.crt": base64("text") }, none, /data\.ca\.crt/],
    [{ "ca.crt": base64(issued.cert) }, none, /data\.ca\.crt/],
    [{ "ca.crt": base64(many) }, none, /data\.ca\.crt/],
    [{ "ca.crt": base64(issued.ca + BROKEN) }, none, /data\.ca\.crt/],
  ];
  for (const [changes, expected, flaw] of cases) {
    const secret = oldSecret(changes, issued);
    const content = readContent(secret);
    assert.deepEqual(summaryOf(content), expected, JSON.stringify(changes));
    if (flaw === undefined) {
      assert.equal(content.flaw, undefined);
      assert.deepEqual(parseAdmissionTls(secret), {
        ca: issued.ca,
        cert: issued.cert,
        key: issued.key,
      });
      continue;
    }
    assert.match(content.flaw ?? "", flaw);
    assert.throws(() => parseAdmissionTls(secret), (error) => {
      assert.ok(error instanceof AdmissionError && error.reason === "TlsInvalid");
      assert.match(error.message, flaw);
      return error.disposition === "wait" && !error.message.includes("PRIVATE");
    });
  }
});

const BROKEN = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

function summaryOf({ cas, caKey, leaf }: ReadContent) {
  return { cas: cas.length, canSign: caKey !== undefined, hasLeaf: leaf !== undefined };
}

Deno.test("a Secret with no data at all holds nothing", () => {
  for (const data of [undefined, null, {}]) {
    const content = readContent({ ...oldSecret(), data });
    assert.deepEqual(summaryOf(content), { cas: 0, canSign: false, hasLeaf: false });
  }
});

Deno.test("which CA signed is told from the signature, not from the name, which all have", () => {
  const [newer, older] = [issueCa(), issueCa()];
  for (const [issuer, ca] of [newer, older].entries()) {
    const { cert, key } = issueServerCertificate(ca.key);
    const content = readContent(oldSecret({
      "ca.crt": base64(newer.cert + older.cert),
      "ca.key": base64(newer.key),
      "tls.crt": base64(cert),
      "tls.key": base64(key),
    }));
    assert.equal(content.leaf?.issuer, issuer);
  }
});
