import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { der } from "../std/mod.ts";
import { withDirectory } from "../../test/fakes/testing.ts";
import { parseRequest, requestPem } from "./certificate_request.ts";
import { RightsError } from "./errors.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
const name = { commonName: "holdfast:node:node-1", organization: "holdfast:nodes" };

async function openssl(dir: string, ...args: string[]): Promise<string> {
  const command = new Deno.Command("openssl", { args, cwd: dir, stdout: "piped", stderr: "piped" });
  const { stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return decoder.decode(stdout) + decoder.decode(stderr);
}

Deno.test("openssl reads the request, its signature is right, and it asks for a subject only", () =>
  withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/csr.pem`, requestPem(privateKey, name));
    const text = await openssl(dir, "req", "-verify", "-noout", "-text", "-in", "csr.pem");
    assert.match(text, /verify OK/);
    assert.match(text, /Subject: O ?= ?holdfast:nodes, CN ?= ?holdfast:node:node-1\n/);
    assert.match(text, /Version: 1 \(0x0\)/);
    assert.match(text, /ASN1 OID: prime256v1/);
    assert.match(text, /Attributes:\s+(\(none\)|a0:00)/);
  }));

Deno.test("what was written is read, and what openssl writes", () =>
  withDirectory(async (dir) => {
    const subject = [{ type: "O", value: "holdfast:nodes" }, {
      type: "CN",
      value: "holdfast:node:node-1",
    }];
    assert.deepEqual(parseRequest(requestPem(privateKey, name)), {
      subject,
      hasAttributes: false,
    });
    await Deno.writeTextFile(`${dir}/o.cnf`, "[req]\ndistinguished_name=dn\n[dn]\n");
    const made = async (...args: string[]) => {
      const fixed = ["req", "-new", "-config", "o.cnf", "-nodes", "-keyout", "k", "-out", "c"];
      await openssl(dir, ...fixed, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", ...args);
      return parseRequest(await Deno.readTextFile(`${dir}/c`));
    };
    assert.deepEqual(await made("-subj", "/O=holdfast:nodes/CN=holdfast:node:node-1"), {
      subject,
      hasAttributes: false,
    });
    const san = await made("-subj", "/CN=a/OU=b", "-addext", "subjectAltName=DNS:c");
    assert.deepEqual(san, {
      subject: [{ type: "CN", value: "a" }, { type: "2.5.4.11", value: "b" }],
      hasAttributes: true,
    });
  }));

Deno.test("what can be read in two ways is refused", () => {
  const good = requestPem(privateKey, name);
  const bytes = Uint8Array.fromBase64(good.replaceAll(/-----[^-]+-----|\s/g, ""));
  const pem = (changed: Uint8Array) => der.pem("CERTIFICATE REQUEST", changed);
  const changed = (at: number, ...values: number[]) => {
    const copy = bytes.slice();
    copy.set(values, at);
    return copy;
  };
  const body = (...parts: Uint8Array[]) =>
    pem(der.sequence(der.sequence(...parts), der.sequence(), der.bitString(Uint8Array.of(1))));
  const cn = der.sequence(der.oid("2.5.4.3"), der.utf8String("a"));
  const zero = der.integer(Uint8Array.of(0));
  const none = der.element(0xa0);
  const odd = (...attribute: Uint8Array[]) =>
    body(zero, der.sequence(der.set(der.sequence(...attribute))), der.sequence(), none);
  const cases: [string, string][] = [
    ["nothing", ""],
    ["no PEM", "hello"],
    ["another label", good.replaceAll("CERTIFICATE REQUEST", "CERTIFICATE")],
    ["text before", `x\n${good}`],
    ["two blocks", good + good],
    ["headers", good.replace("\n", "\nProc-Type: 4\n\n")],
    ["no base64", good.replace("\n", "\n=")],
    ["cut off", pem(bytes.subarray(0, -1))],
    ["bytes after", pem(new Uint8Array([...bytes, 0]))],
    ["another tag", pem(changed(0, 0x31))],
    ["a length without end", pem(changed(1, 0x80))],
    ["a long form of a short length", pem(Uint8Array.of(0x30, 0x81, 0x01, 0x00))],
    ["a length of four bytes", pem(Uint8Array.of(0x30, 0x84, 0, 0, 0, 0))],
    ["a tag of several bytes", pem(Uint8Array.of(0x3f, 0x81, 0x00))],
    ["another version", body(der.integer(Uint8Array.of(1)), der.sequence(), der.sequence(), none)],
    ["no attributes field", body(zero, der.sequence(), der.sequence())],
    ["more in the body", body(zero, der.sequence(), der.sequence(), none, none)],
    ["an IA5String", odd(der.oid("2.5.4.3"), der.element(0x16, Uint8Array.of(0x61)))],
    ["a BMPString", odd(der.oid("2.5.4.3"), der.element(0x1e, Uint8Array.of(0, 0x61)))],
    ["no UTF-8", odd(der.oid("2.5.4.3"), der.element(0x0c, Uint8Array.of(0xff)))],
    ["a third part", odd(der.oid("2.5.4.3"), der.utf8String("a"), der.utf8String("b"))],
    [
      "two names in one set",
      body(zero, der.sequence(der.element(0x31, cn, cn)), der.sequence(), none),
    ],
    ["very long", der.pem("CERTIFICATE REQUEST", new Uint8Array(20_000))],
  ];
  for (const [what, text] of cases) {
    assert.throws(() => parseRequest(text), (error) => {
      assert(error instanceof RightsError, what);
      assert.equal(error.reason, "RequestInvalid", what);
      return true;
    }, what);
  }
});
