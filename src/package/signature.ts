import { Buffer } from "node:buffer";
import { verify } from "node:crypto";
import * as v from "valibot";
import { type Digest, digestHex } from "../std/mod.ts";
import { DEFINITION, SIGNATURES } from "./checksums.ts";
import { type PackageError, packageError } from "./errors.ts";
import { isRecord } from "./json.ts";
import { fingerprintOf, type TrustedKey } from "./trusted_keys.ts";

/** What is known about who made a package. */
export type PackageTrust =
  /** It neither holds a signature nor says that it is signed. */
  | { readonly state: "Unsigned" }
  /** It holds a signature or says that it is signed, and no keys are there to check that. */
  | { readonly state: "Unverified" }
  /** The trusted key with this fingerprint signed it. */
  | { readonly state: "Verified"; readonly signedBy: string };

/** A package's definition and the signature files that came with it, byte for byte. */
export interface SignedDefinition {
  /** zarf.yaml: the signature covers these bytes, and through its checksums every other file. */
  readonly definition: Uint8Array;
  /** sha256 of zarf.yaml. */
  readonly digest: Digest;
  /** `zarf.bundle.sig` */
  readonly bundle: Uint8Array | undefined;
  /** `zarf.yaml.sig` */
  readonly legacy: Uint8Array | undefined;
}

/** Characters of a base64 value in a signature file; a P-256 signature has 96. */
const MAX_BASE64 = 1024;
/** sha256 in base64. */
const HASH_BASE64 = 44;

/** One way to write each value: a decoder that skips what it does not know would take several. */
function isBase64(text: string): boolean {
  return text !== "" && Buffer.from(text, "base64").toString("base64") === text;
}

const base64 = v.pipe(
  v.string(),
  v.maxLength(MAX_BASE64, `is longer than ${MAX_BASE64} characters`),
  v.check(isBase64, "is not base64"),
);

/** A Sigstore bundle over a message, made with a key pair (protobuf-specs, sigstore_bundle.proto). */
const bundleSchema = v.object({
  mediaType: v.literal("application/vnd.dev.sigstore.bundle.v0.3+json"),
  verificationMaterial: v.object({
    publicKey: v.object({
      hint: v.exactOptional(v.pipe(v.string(), v.maxLength(MAX_BASE64)), ""),
    }),
  }),
  messageSignature: v.object({
    messageDigest: v.exactOptional(v.object({ algorithm: v.literal("SHA2_256"), digest: base64 })),
    signature: base64,
  }),
});

/** A signature that was read but not checked. */
interface Signature {
  /** The file that it is in. */
  readonly file: string;
  /** ECDSA over sha256, DER. */
  readonly der: Uint8Array;
  /** Fingerprint of the key that is said to have made it; a claim that only messages use. */
  readonly claimedKey?: string;
}

/**
 * Finds the trusted key that signed a package. The bundle counts where both files are there (Zarf
 * 0.84, layout/package.go VerifyPackageSignature).
 *
 * @throws {PackageError} Unsigned, SignatureInvalid or SignatureUnreadable.
 */
export function findSigner(signed: SignedDefinition, keys: readonly TrustedKey[]): TrustedKey {
  const signature = readSignature(signed);
  for (const key of keys) {
    if (isSignedBy(key, signed.definition, signature.der)) return key;
  }
  const { file, claimedKey } = signature;
  const claim = claimedKey === undefined ? "" : `; it names the key ${claimedKey}`;
  throw packageError(
    "SignatureInvalid",
    `${file}: none of the trusted keys (${keys.map((key) => key.fingerprint).join(", ")}) made ` +
      `this signature over ${DEFINITION}${claim}`,
  );
}

/** The refusal of a package without a signature. */
export function unsigned(why: string): PackageError {
  return packageError("Unsigned", `the package: is not signed: ${why}`);
}

function readSignature({ bundle, legacy, digest }: SignedDefinition): Signature {
  if (bundle !== undefined) return readBundle(bundle, digest);
  if (legacy !== undefined) return readLegacy(legacy);
  throw unsigned(`it has neither ${SIGNATURES.bundle} nor ${SIGNATURES.legacy}`);
}

function isSignedBy(key: TrustedKey, content: Uint8Array, der: Uint8Array): boolean {
  try {
    return verify("sha256", content, key.pem, der);
  } catch {
    // What is not the DER form of a signature is no key's signature.
    return false;
  }
}

function readBundle(content: Uint8Array, digest: Digest): Signature {
  const file = SIGNATURES.bundle;
  const parsed = v.safeParse(bundleSchema, parseJson(file, content));
  if (!parsed.success) {
    const [issue] = parsed.issues;
    throw unreadable(file, `${v.getDotPath(issue) ?? "the document"}: ${issue.message}`);
  }
  const { messageSignature, verificationMaterial } = parsed.output;
  const { messageDigest, signature } = messageSignature;
  // The signature decides; this only tells a swapped file from a wrong key.
  if (messageDigest !== undefined && hexOf(messageDigest.digest) !== digestHex(digest)) {
    throw packageError(
      "SignatureInvalid",
      `${file}: was made over another ${DEFINITION} than the one in the package`,
    );
  }
  const { hint } = verificationMaterial.publicKey;
  return {
    file,
    der: Buffer.from(signature, "base64"),
    // Cosign's hint: the sha256 of the key's DER form.
    ...(hint.length === HASH_BASE64 && isBase64(hint)
      ? { claimedKey: fingerprintOf(hexOf(hint)) }
      : {}),
  };
}

function parseJson(file: string, content: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(decode(content));
    if (isRecord(value)) return value;
  } catch (cause) {
    throw unreadable(file, "is not JSON", cause);
  }
  throw unreadable(file, "is not a JSON object");
}

/** Base64 of the DER form; cosign ends it with a line feed or without. */
function readLegacy(content: Uint8Array): Signature {
  const file = SIGNATURES.legacy;
  let text: string;
  try {
    text = decode(content).trim();
  } catch (cause) {
    throw unreadable(file, "is not text", cause);
  }
  const parsed = v.safeParse(base64, text);
  if (!parsed.success) throw unreadable(file, parsed.issues[0].message);
  return { file, der: Buffer.from(text, "base64") };
}

function decode(content: Uint8Array): string {
  return new TextDecoder("utf-8", { fatal: true }).decode(content);
}

function hexOf(text: string): string {
  return Buffer.from(text, "base64").toString("hex");
}

function unreadable(file: string, why: string, cause?: unknown): PackageError {
  return packageError("SignatureUnreadable", `${file}: ${why}`, { cause });
}
