import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  buildPackage,
  packageEntries,
  type PackageSpec,
  type TarEntrySpec,
} from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import {
  bundleOver,
  keyPair,
  signatureOver,
  signed,
  type SigningPair,
} from "../../test/fixtures/sign_package.ts";
import { digestOf } from "../std/mod.ts";
import {
  type PackageContents,
  PackageError,
  parseTrustedKeys,
  readPackage,
  type TrustedKey,
} from "./mod.ts";
import { findSigner, type SignedDefinition } from "./signature.ts";

const PACKAGES = new URL("../../test/fixtures/packages/", import.meta.url);
const file = (name: string) => Deno.readFileSync(new URL(name, PACKAGES));
const SIGNED = "zarf-package-app-signed-amd64-1.0.0.tar.zst";
const APP_SIGNED = parseTrustedKeys(Deno.readTextFileSync(new URL("app-signed.pub", PACKAGES)));

const ours = keyPair();
const other = keyPair();

function take(
  bytes: Uint8Array,
  trust?: readonly TrustedKey[],
  sink = new MemorySink(),
): Promise<PackageContents> {
  const options = { format: "tar.zst", architecture: "amd64", sink } as const;
  return readPackage(sourceOf(bytes), trust === undefined ? options : { ...options, trust });
}

async function refused(
  bytes: Uint8Array,
  reason: string,
  trust: readonly TrustedKey[] = [ours.trusted],
): Promise<PackageError> {
  const sink = new MemorySink();
  try {
    await take(bytes, trust, sink);
  } catch (error) {
    assert(error instanceof PackageError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert.equal(error.disposition, "terminal");
    assert.equal(sink.open, 0, "a file was left open");
    return error;
  }
  assert.fail(`the package was accepted instead of ${reason}`);
}

const contentOf = (entries: readonly TarEntrySpec[], name: string): string =>
  String(entries.find((entry) => entry.name === name)?.content ?? assert.fail(`no ${name}`));
const adding = (name: string, content: string) => ({
  entries: (all: TarEntrySpec[]) => [...all, { name, content }],
});
/** Hooks that sign whatever zarf.yaml holds. */
const signedText = (pair: SigningPair) => ({ entries: signed(pair).entries ?? assert.fail() });

Deno.test("a package that the real zarf signed is verified with its key", async () => {
  const { trust, signature } = await take(file(SIGNED), APP_SIGNED);
  assert.equal(signature, "bundle");
  assert.deepEqual(trust, { state: "Verified", signedBy: APP_SIGNED[0]?.fingerprint });
});

Deno.test("a package that the real zarf signed is refused with another key, by both names", async () => {
  const zarfs = parseTrustedKeys(Deno.readTextFileSync(new URL("zarf-test.pub", PACKAGES)));
  const error = await refused(file(SIGNED), "SignatureInvalid", zarfs);
  assert.match(error.message, new RegExp(`^zarf.bundle.sig: .*${zarfs[0]?.fingerprint}`));
  assert.match(error.message, new RegExp(`names the key ${APP_SIGNED[0]?.fingerprint}$`));
});

Deno.test("a package of the real zarf without a signature is refused when keys are there", async () => {
  const bytes = file("zarf-package-hello-amd64-0.1.0.tar.zst");
  const error = await refused(bytes, "Unsigned", APP_SIGNED);
  assert.match(error.message, /not signed/);
  assert.match(error.remedy ?? "", /zarf package sign/);
  assert.deepEqual((await take(bytes)).trust, { state: "Unsigned" });
});

for (const form of ["bundle", "legacy"] as const) {
  Deno.test(`a ${form} signature is verified by any one of several keys`, async () => {
    const bytes = buildPackage({ hooks: signed(ours, { form }) });
    const verified = { state: "Verified", signedBy: ours.trusted.fingerprint };
    for (const trust of [[ours], [ours, other], [other, ours]]) {
      const contents = await take(bytes, trust.map(({ trusted }) => trusted));
      assert.deepEqual(contents.trust, verified);
      assert.equal(contents.signature, form);
    }
    await refused(bytes, "SignatureInvalid", [other.trusted]);
    await refused(bytes, "SignatureInvalid", [other.trusted, keyPair().trusted]);
  });

  Deno.test(`a ${form} signature does not cover a changed definition`, async () => {
    const tamper = (yaml: string) => yaml.replace("name: sample", "name: simple");
    const bytes = buildPackage({ hooks: signed(ours, { form, tamper }) });
    assert.equal((await take(bytes)).definition.metadata.name, "simple");
    await refused(bytes, "SignatureInvalid");
  });

  Deno.test(`a ${form} signature of another package is refused`, async () => {
    const name = { bundle: "zarf.bundle.sig", legacy: "zarf.yaml.sig" }[form];
    const hooks = signed(ours, { form });
    const theirs = contentOf(packageEntries({ name: "one", hooks }), name);
    const swapped = (spec: PackageSpec) =>
      buildPackage({ ...spec, hooks: { ...signed(ours, { form }), ...adding(name, theirs) } });
    // The same signature is good where it belongs.
    assert.equal((await take(swapped({ name: "one" }), [ours.trusted])).trust.state, "Verified");
    await refused(swapped({ name: "two" }), "SignatureInvalid");
  });
}

Deno.test("without keys every package is taken, and says what is known of its signature", async (t) => {
  const cases: readonly (readonly [string, PackageSpec["hooks"], string])[] = [
    ["nothing", {}, "Unsigned"],
    ["it says nothing", { definition: ({ build }) => void delete build["signed"] }, "Unsigned"],
    [
      "it says that it is signed",
      { definition: ({ build }) => void (build["signed"] = true) },
      "Unverified",
    ],
    ["a bundle", signed(ours), "Unverified"],
    ["a legacy signature", signed(ours, { form: "legacy" }), "Unverified"],
    ["a file that is no signature", adding("zarf.bundle.sig", "{}"), "Unverified"],
    ["an empty file", adding("zarf.yaml.sig", ""), "Unverified"],
  ];
  for (const [name, hooks = {}, state] of cases) {
    await t.step(name, async () => {
      const bytes = buildPackage({ hooks });
      assert.deepEqual((await take(bytes)).trust, { state });
      assert.deepEqual((await take(bytes, [])).trust, { state }, "no keys are no keys");
    });
  }
});

Deno.test("with keys a package must be signed, whatever it says", async (t) => {
  const cases: readonly (readonly [string, PackageSpec["hooks"], string | undefined])[] = [
    ["it says no", {}, "Unsigned"],
    ["it says yes and has no signature", {
      definition: ({ build }) => void (build["signed"] = true),
    }, "Unsigned"],
    ["it says nothing and has no signature", {
      definition: ({ build }) => void delete build["signed"],
    }, "Unsigned"],
    // As Zarf, which takes the definition's word for it.
    ["it says no and has a signature", signed(ours, { says: false }), "Unsigned"],
    ["it says nothing and has a signature", signed(ours, { says: null }), undefined],
    ["it says nothing and has an old one", signed(ours, { says: null, form: "legacy" }), undefined],
  ];
  for (const [name, hooks = {}, reason] of cases) {
    await t.step(name, async () => {
      const bytes = buildPackage({ hooks });
      if (reason === undefined) await take(bytes, [ours.trusted]);
      else await refused(bytes, reason);
    });
  }
});

Deno.test("the bundle counts where both signatures are there", async () => {
  const entriesOf = (form: "bundle" | "legacy", pair: SigningPair) =>
    packageEntries({ hooks: signed(pair, { form }) });
  const bundle = contentOf(entriesOf("bundle", ours), "zarf.bundle.sig");
  const legacy = (pair: SigningPair) => contentOf(entriesOf("legacy", pair), "zarf.yaml.sig");
  const both = (bundle: string, legacy: string) =>
    buildPackage({
      hooks: {
        ...signed(ours),
        entries: (all) => [
          ...all,
          { name: "zarf.bundle.sig", content: bundle },
          { name: "zarf.yaml.sig", content: legacy },
        ],
      },
    });
  const contents = await take(both(bundle, legacy(other)), [ours.trusted]);
  assert.equal(contents.signature, "bundle");
  assert.equal(contents.trust.state, "Verified");
  await refused(both(bundle, legacy(other)), "SignatureInvalid", [other.trusted]);
  await refused(both("{}", legacy(ours)), "SignatureUnreadable");
});

Deno.test("signatures may stand anywhere in the archive", async () => {
  const hooks = signed(ours);
  const reversed = (all: TarEntrySpec[]) => (hooks.entries?.(all) ?? []).reverse();
  const bytes = buildPackage({ hooks: { ...hooks, entries: reversed } });
  assert.equal((await take(bytes, [ours.trusted])).trust.state, "Verified");
  await refused(bytes, "SignatureInvalid", [other.trusted]);
});

Deno.test("a definition that nobody trusted signed is refused before it is parsed", async () => {
  const hooks = { definitionText: () => "a: [" };
  await refused(buildPackage({ hooks }), "Unsigned");
  await refused(buildPackage({ hooks: { ...hooks, ...signedText(other) } }), "SignatureInvalid");
  await refused(buildPackage({ hooks: { ...hooks, ...signedText(ours) } }), "InvalidDefinition");
});

Deno.test("a signature does not excuse a file that is not the one that was signed for", async () => {
  const { entries, ...hooks } = signed(ours, { form: "legacy" });
  const change = (all: TarEntrySpec[]) =>
    (entries?.(all) ?? []).map((entry) =>
      entry.name === "sboms.tar" ? { ...entry, content: "wrong" } : entry
    );
  const spec = { files: { "sboms.tar": "right" }, hooks: { ...hooks, entries: change } };
  await refused(buildPackage(spec), "ChecksumMismatch");
});

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

Deno.test("a signature file that is too large is refused before it is held", async () => {
  for (const name of ["zarf.bundle.sig", "zarf.yaml.sig"]) {
    const bytes = buildPackage({ hooks: adding(name, " ".repeat((256 << 10) + 1)) });
    const error = await refused(bytes, "LimitExceeded");
    assert.match(error.message, new RegExp(`^${name}: has 262145 bytes, the limit is 262144`));
  }
});
