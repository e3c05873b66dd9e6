import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { bundleOver, keyPair, signatureOver } from "../../test/fixtures/sign_package.ts";
import { digestOf } from "../std/mod.ts";
import { PackageError } from "./errors.ts";
import { findSigner, type SignedDefinition } from "./signature.ts";

const ours = keyPair();
const other = keyPair();

const YAML = Buffer.from("kind: ZarfPackageConfig\nmetadata: {name: a}\n");
const bundle = bundleOver(YAML, ours);
const { messageSignature, verificationMaterial } = bundle;
const { messageDigest, signature } = messageSignature;

function signedBy(bundle: string | Uint8Array | object): SignedDefinition {
  const text = typeof bundle === "string" ? bundle : JSON.stringify(bundle);
  const content = bundle instanceof Uint8Array ? bundle : Buffer.from(text);
  return { definition: YAML, digest: digestOf(YAML), bundle: content, legacy: undefined };
}

const legacyOf = (text: string | Uint8Array): SignedDefinition => ({
  ...signedBy(""),
  bundle: undefined,
  legacy: Buffer.from(text),
});

/** The reason of a refusal, or that there is none. */
function judged(definition: SignedDefinition, keys = [ours.trusted]): string {
  try {
    return findSigner(definition, keys) === ours.trusted ? "ours" : "another";
  } catch (error) {
    assert(error instanceof PackageError, String(error));
    return error.reason;
  }
}

Deno.test("the one bundle is good, and every other form of it is refused", async (t) => {
  const withMessage = (change: object) => ({
    ...bundle,
    messageSignature: { ...messageSignature, ...change },
  });
  const withDigest = (change: object) =>
    withMessage({ messageDigest: { ...messageDigest, ...change } });
  const withMaterial = (verificationMaterial: unknown) => ({ ...bundle, verificationMaterial });
  const otherDigest = bundleOver("other", ours).messageSignature.messageDigest.digest;
  const cases: readonly (readonly [string, string | Uint8Array | object, string])[] = [
    ["as it is", bundle, "ours"],
    ["indented", JSON.stringify(bundle, null, 2), "ours"],
    ["with keys that nobody knows", { ...bundle, more: 1 }, "ours"],
    ["with log entries", withMaterial({ ...verificationMaterial, tlogEntries: [{}] }), "ours"],
    ["without the digest, which only describes", withMessage({ messageDigest: undefined }), "ours"],
    ["without a hint", withMaterial({ publicKey: {} }), "ours"],
    ["with a hint at another key", withMaterial({ publicKey: { hint: otherDigest } }), "ours"],
    ["of another key", bundleOver(YAML, other), "SignatureInvalid"],
    ["over another definition", bundleOver("other", ours), "SignatureInvalid"],
    [
      "with the digest of another definition",
      withDigest({ digest: otherDigest }),
      "SignatureInvalid",
    ],
    ["with a digest that is too short", withDigest({ digest: "AAAA" }), "SignatureInvalid"],
    ["over another definition without saying so", {
      ...bundle,
      messageSignature: { signature: bundleOver("other", ours).messageSignature.signature },
    }, "SignatureInvalid"],
    ["with bytes that are no signature", withMessage({ signature: "AAAA" }), "SignatureInvalid"],
    [
      "with bytes after the signature",
      withMessage({
        signature: Buffer.concat([Buffer.from(signature, "base64"), Buffer.from([0])]).toString(
          "base64",
        ),
      }),
      "SignatureInvalid",
    ],
    ["empty", "", "SignatureUnreadable"],
    ["a list", "[]", "SignatureUnreadable"],
    ["null", "null", "SignatureUnreadable"],
    ["an empty object", "{}", "SignatureUnreadable"],
    ["cut off", JSON.stringify(bundle).slice(0, -1), "SignatureUnreadable"],
    ["no text", Buffer.from([0xff, 0xfe, 0x00]), "SignatureUnreadable"],
    ["brackets without end", "[".repeat(100_000), "SignatureUnreadable"],
    [
      "of another version",
      { ...bundle, mediaType: bundle.mediaType.replace("0.3", "0.4") },
      "SignatureUnreadable",
    ],
    ["with another digest algorithm", withDigest({ algorithm: "SHA2_512" }), "SignatureUnreadable"],
    ["with a digest that is no base64", withDigest({ digest: "*" }), "SignatureUnreadable"],
    ["without a signature", withMessage({ signature: undefined }), "SignatureUnreadable"],
    ["with an empty signature", withMessage({ signature: "" }), "SignatureUnreadable"],
    [
      "with a signature that is no base64",
      withMessage({ signature: `${signature}*` }),
      "SignatureUnreadable",
    ],
    [
      "with a signature of another alphabet",
      withMessage({ signature: "_-__" }),
      "SignatureUnreadable",
    ],
    [
      "with a very long signature",
      withMessage({ signature: "A".repeat(2000) }),
      "SignatureUnreadable",
    ],
    ["with a number for a signature", withMessage({ signature: 1 }), "SignatureUnreadable"],
    [
      "with a very long hint",
      withMaterial({ publicKey: { hint: "A".repeat(2000) } }),
      "SignatureUnreadable",
    ],
    ["keyless", withMaterial({ certificate: { rawBytes: "AAAA" } }), "SignatureUnreadable"],
    [
      "an attestation",
      { ...bundle, messageSignature: undefined, dsseEnvelope: {} },
      "SignatureUnreadable",
    ],
  ];
  for (const [name, value, expected] of cases) {
    await t.step(name, () => assert.equal(judged(signedBy(value)), expected));
  }
});

Deno.test("an old signature is base64 with or without a line feed", async (t) => {
  const good = Buffer.from(signatureOver(YAML, ours)).toString("base64");
  const cases: readonly (readonly [string, string | Uint8Array, string])[] = [
    ["as it is", good, "ours"],
    ["with a line feed", `${good}\n`, "ours"],
    ["with CR and LF", `${good}\r\n`, "ours"],
    [
      "of another key",
      Buffer.from(signatureOver(YAML, other)).toString("base64"),
      "SignatureInvalid",
    ],
    [
      "over another definition",
      Buffer.from(signatureOver("x", ours)).toString("base64"),
      "SignatureInvalid",
    ],
    ["bytes that are no signature", "AAAA", "SignatureInvalid"],
    ["empty", "", "SignatureUnreadable"],
    ["two lines", `${good}\n${good}\n`, "SignatureUnreadable"],
    ["binary", Buffer.from([0x30, 0x45, 0x02, 0xff]), "SignatureUnreadable"],
    ["very long", "A".repeat(2000), "SignatureUnreadable"],
    ["a bundle", JSON.stringify(bundle), "SignatureUnreadable"],
  ];
  for (const [name, text, expected] of cases) {
    await t.step(name, () => assert.equal(judged(legacyOf(text)), expected));
  }
});

Deno.test("one flipped bit in the definition or in the signature is found, whichever it is", () => {
  const der = signatureOver(YAML, ours);
  const flipped = (bytes: Uint8Array, bit: number) => {
    const copy = Uint8Array.from(bytes);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return copy;
  };
  assert.equal(judged(legacyOf(Buffer.from(der).toString("base64"))), "ours");
  for (let bit = 0; bit < der.length * 8; bit++) {
    const text = Buffer.from(flipped(der, bit)).toString("base64");
    assert.equal(judged(legacyOf(text)), "SignatureInvalid", `bit ${bit} of the signature`);
    const changed = { ...messageSignature, signature: text };
    assert.equal(judged(signedBy({ ...bundle, messageSignature: changed })), "SignatureInvalid");
  }
  for (let bit = 0; bit < YAML.length * 8; bit++) {
    const definition = flipped(YAML, bit);
    const both = { ...signedBy(bundle), definition, digest: digestOf(definition) };
    assert.equal(judged(both), "SignatureInvalid", `bit ${bit} of the definition`);
    const legacy = { ...legacyOf(Buffer.from(der).toString("base64")), definition };
    assert.equal(judged(legacy), "SignatureInvalid", `bit ${bit} of the definition`);
  }
});

Deno.test("one flipped bit in the signature's text is refused", () => {
  const { length } = signature;
  const whole = Buffer.from(JSON.stringify(bundle));
  const from = whole.indexOf(signature);
  for (let bit = from * 8; bit < (from + length) * 8; bit++) {
    const copy = Uint8Array.from(whole);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    assert.match(judged(signedBy(copy)), /^Signature(Invalid|Unreadable)$/, `bit ${bit}`);
  }
});
