import { Buffer } from "node:buffer";
import { packageEntries, type PackageHooks } from "../fixtures/make_package.ts";
import {
  bundleOver,
  keyPair,
  signatureOver,
  signed,
  type SigningPair,
} from "../fixtures/sign_package.ts";
import type { PackageErrorReason } from "../../src/package/mod.ts";
import { add, type BadPackage, badSpec } from "./bad_package.ts";

const BUNDLE = "zarf.bundle.sig";
const LEGACY = "zarf.yaml.sig";

/** Packages that are good for everybody but those who trust one key. */
export function badSignatures(): BadPackage[] {
  const [ours, other] = [keyPair(), keyPair()];
  return [...unsigned(ours), ...wrong(ours, other), ...unreadable(ours)].map(
    ([name, reason, part, hooks]) => ({
      ...badSpec([name, reason, part, { hooks }]),
      key: ours.pem,
    }),
  );
}

type Case = readonly [name: string, reason: PackageErrorReason, part: string, hooks: PackageHooks];

function unsigned(ours: SigningPair): Case[] {
  const says = (value: boolean): PackageHooks => ({
    definition: ({ build }) => void (build["signed"] = value),
  });
  return [
    ["unsigned", "Unsigned", "the package: is not signed", {}],
    ["unsigned-but-says-so", "Unsigned", "the package: is not signed", says(true)],
    ["signed-but-says-not", "Unsigned", "build.signed: false", signed(ours, { says: false })],
  ];
}

/** Hooks that put this file beside zarf.yaml, in a package that says that it is signed. */
function beside(name: string, content: (yaml: string) => string | Uint8Array): PackageHooks {
  return {
    definition: ({ build }) => void (build["signed"] = true),
    entries: (all) => {
      const yaml = String(all.find((one) => one.name === "zarf.yaml")?.content);
      return [...all, { name, content: content(yaml) }];
    },
  };
}

function wrong(ours: SigningPair, other: SigningPair): Case[] {
  const invalid = (name: string, file: string, part: string, hooks: PackageHooks): Case => [
    `signature-${name}`,
    "SignatureInvalid",
    `${file}: ${part}`,
    hooks,
  ];
  const none = "none of the trusted keys";
  const tamper = (yaml: string) => yaml.replace("version: 1.0.0", "version: 9.9.9");
  const another = String(packageEntries({ name: "another" }).at(-1)?.content);
  const bundle = (yaml: string) => bundleOver(yaml, ours);
  const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");
  return [
    invalid("of-another-key", BUNDLE, none, signed(other)),
    invalid("of-another-key-legacy", LEGACY, none, signed(other, { form: "legacy" })),
    invalid("tampered", BUNDLE, "was made over another zarf.yaml", signed(ours, { tamper })),
    invalid("tampered-legacy", LEGACY, none, signed(ours, { form: "legacy", tamper })),
    invalid("of-another-package", BUNDLE, "was made over another zarf.yaml", {
      ...beside(BUNDLE, () => JSON.stringify(bundle(another))),
    }),
    invalid("of-another-package-legacy", LEGACY, none, {
      ...beside(LEGACY, () => base64(signatureOver(another, ours))),
    }),
    invalid("with-a-right-digest", BUNDLE, none, {
      ...beside(BUNDLE, (yaml) => {
        const right = bundle(yaml);
        const { signature } = bundle(another).messageSignature;
        return JSON.stringify({
          ...right,
          messageSignature: { ...right.messageSignature, signature },
        });
      }),
    }),
    invalid("der-trailing-byte", LEGACY, none, {
      ...beside(LEGACY, (yaml) => base64(Buffer.concat([signatureOver(yaml, ours), Buffer.of(0)]))),
    }),
    invalid("der-cut", LEGACY, none, {
      ...beside(LEGACY, (yaml) => base64(signatureOver(yaml, ours).subarray(0, -1))),
    }),
    invalid(
      "der-zeros",
      LEGACY,
      none,
      beside(LEGACY, () => base64(Uint8Array.of(48, 6, 2, 1, 0, 2, 1, 0))),
    ),
    invalid("bundle-counts", BUNDLE, none, {
      ...beside(BUNDLE, (yaml) => JSON.stringify(bundleOver(yaml, other))),
    }),
  ];
}

function unreadable(ours: SigningPair): Case[] {
  const file = (
    name: string,
    file: string,
    part: string,
    content: (yaml: string) => string | Uint8Array,
  ): Case => [
    `signature-${name}`,
    "SignatureUnreadable",
    `${file}: ${part}`,
    beside(file, content),
  ];
  const bundle = (yaml: string) => JSON.stringify(bundleOver(yaml, ours));
  const changed = (change: object) => (yaml: string) =>
    JSON.stringify({ ...bundleOver(yaml, ours), ...change });
  const legacy = (yaml: string) => Buffer.from(signatureOver(yaml, ours)).toString("base64");
  const certificate = { certificate: { rawBytes: "MIIB" } };
  return [
    file("empty", BUNDLE, "is not JSON", () => ""),
    file("bundle-trailing", BUNDLE, "is not JSON", (yaml) => `${bundle(yaml)}x`),
    file("bundle-twice", BUNDLE, "is not JSON", (yaml) => bundle(yaml).repeat(2)),
    file("bundle-list", BUNDLE, "is not a JSON object", (yaml) => `[${bundle(yaml)}]`),
    file(
      "bundle-v0.2",
      BUNDLE,
      "mediaType",
      changed({
        mediaType: "application/vnd.dev.sigstore.bundle+json;version=0.2",
      }),
    ),
    file(
      "bundle-keyless",
      BUNDLE,
      "verificationMaterial",
      changed({
        verificationMaterial: certificate,
      }),
    ),
    file(
      "bundle-envelope",
      BUNDLE,
      "messageSignature",
      changed({
        messageSignature: undefined,
        dsseEnvelope: { payload: "", payloadType: "x", signatures: [] },
      }),
    ),
    file("bundle-not-base64", BUNDLE, "messageSignature.signature: is not base64", (yaml) => {
      return bundle(yaml).replace('"signature":"', '"signature":"%');
    }),
    file("legacy-empty", LEGACY, "is not base64", () => ""),
    file("legacy-trailing", LEGACY, "is not base64", (yaml) => `${legacy(yaml)}\nmore`),
    file("legacy-binary", LEGACY, "is not text", (yaml) => signatureOver(yaml, ours)),
    file("legacy-pem", LEGACY, "is not base64", () => ours.pem),
    ["signature-too-long", "LimitExceeded", `${BUNDLE}: has 300000 bytes`, {
      ...add({ name: BUNDLE, content: " ".repeat(300_000) }),
    }],
  ];
}
