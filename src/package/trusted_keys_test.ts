import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyPairKeyObjectResult } from "node:crypto";
import { keyPair } from "../../test/fixtures/sign_package.ts";
import { MAX_TRUSTED_KEYS, parseTrustedKeys, TrustKeyError } from "./trusted_keys.ts";

const APP_SIGNED = Deno.readTextFileSync(
  new URL("../../test/fixtures/packages/app-signed.pub", import.meta.url),
);

const pemOf = (label: string, body: string) =>
  `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;

/** Both halves of a pair as PEM. */
function exported({ publicKey, privateKey }: KeyPairKeyObjectResult) {
  return {
    publicPem: publicKey.export({ type: "spki", format: "pem" }).toString(),
    privatePem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

const ec = (namedCurve: string) => exported(generateKeyPairSync("ec", { namedCurve }));
const RSA = exported(generateKeyPairSync("rsa", { modulusLength: 2048 }));
const ED25519 = exported(generateKeyPairSync("ed25519"));

Deno.test("a key of the real zarf is read, and named by the sha256 of its DER form", () => {
  const [key, ...more] = parseTrustedKeys(APP_SIGNED);
  assert.deepEqual(more, []);
  // `openssl pkey -pubin -in app-signed.pub -outform DER | sha256sum` begins with it.
  assert.equal(key?.fingerprint, "b7cdfef8572b7c9b");
  assert.equal(key.pem, APP_SIGNED);
});

Deno.test("one file may hold several keys with text around them, each counts once", () => {
  const [a, b] = [keyPair(), keyPair()];
  const text = `# of 2025\n${a.pem}\nthe next one:\r\n${b.pem.replaceAll("\n", "\r\n")}${a.pem}`;
  assert.deepEqual(parseTrustedKeys(text), [a.trusted, b.trusted]);
  assert.notEqual(a.trusted.fingerprint, b.trusted.fingerprint);
});

Deno.test("a text with anything but usable public keys is refused as a whole", async (t) => {
  const good = keyPair().pem;
  const { privatePem } = ec("P-256");
  const cases: readonly (readonly [string, string, string])[] = [
    ["nothing", "", "NoPublicKey"],
    ["no PEM", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI", "NoPublicKey"],
    ["no base64", pemOf("PUBLIC KEY", "!!!!"), "NoPublicKey"],
    ["no key", pemOf("PUBLIC KEY", "AAAA"), "NoPublicKey"],
    ["a block without its end", good.slice(0, -10), "NoPublicKey"],
    ["a good key and the half of one", good + good.slice(0, -10), "NoPublicKey"],
    ["a good key and one that is none", good + pemOf("PUBLIC KEY", "AAAA"), "NoPublicKey"],
    ["a private key", privatePem, "NotPublic"],
    ["a good key and a private one", good + privatePem, "NotPublic"],
    ["cosign's private key", pemOf("ENCRYPTED SIGSTORE PRIVATE KEY", "AAAA"), "NotPublic"],
    ["a certificate", pemOf("CERTIFICATE", "AAAA"), "NotPublic"],
    ["RSA", RSA.publicPem, "UnsupportedKey"],
    ["Ed25519", ED25519.publicPem, "UnsupportedKey"],
    ["P-384", ec("P-384").publicPem, "UnsupportedKey"],
    [
      "too many",
      Array.from({ length: MAX_TRUSTED_KEYS + 1 }, () => keyPair().pem).join(""),
      "TooManyKeys",
    ],
  ];
  for (const [name, text, reason] of cases) {
    await t.step(name, () => {
      assert.throws(() => parseTrustedKeys(text), (error) => {
        assert(error instanceof TrustKeyError, String(error));
        assert.equal(error.reason, reason, error.message);
        assert.match(error.remedy ?? "", /public key/);
        // Nothing of what may be a secret is repeated.
        assert.doesNotMatch(error.message, /AAAA|-----/);
        return true;
      });
    });
  }
});
