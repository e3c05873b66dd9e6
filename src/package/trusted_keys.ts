import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { HoldfastError } from "../std/mod.ts";

/** Why a text gives no trusted keys. */
export type TrustKeyReason =
  /** There is no complete PEM block `PUBLIC KEY`, or one that does not hold a key. */
  | "NoPublicKey"
  /** A block that is something else, a private key for instance. */
  | "NotPublic"
  /** A public key of a kind that signs no packages here. */
  | "UnsupportedKey"
  /** More than {@linkcode MAX_TRUSTED_KEYS}. */
  | "TooManyKeys";

/** A text that was given as trusted keys and cannot be used as that. */
export class TrustKeyError extends HoldfastError<TrustKeyReason> {}

/** A public key whose signature a package may have. Plain data: it can be posted to a worker. */
export interface TrustedKey {
  /**
   * The first 16 hex digits of the sha256 of the key's DER form (SubjectPublicKeyInfo): what
   * `openssl pkey -pubin -in FILE -outform DER | sha256sum` begins with.
   */
  readonly fingerprint: string;
  /** SubjectPublicKeyInfo as PEM, one block. */
  readonly pem: string;
}

/** A package's signature is tried with each key. */
export const MAX_TRUSTED_KEYS = 64;

/** Hex digits of a fingerprint. */
const FINGERPRINT_DIGITS = 16;
/** What openssl calls P-256, the curve of cosign's key pairs. */
const CURVE = "prime256v1";

/**
 * Reads one or more PEM blocks `PUBLIC KEY`, as `zarf tools gen-key` writes them. Text around the
 * blocks is a comment; a key that is there twice counts once. Only ECDSA keys on P-256 are taken.
 *
 * @returns At least one key.
 * @throws {TrustKeyError} Nothing is left out: one block that cannot be used refuses all.
 */
export function parseTrustedKeys(text: string): TrustedKey[] {
  const keys = new Map<string, TrustedKey>();
  const blocks = [...text.matchAll(/-----BEGIN ([^\n-]*)-----[^-]*-----END \1-----/g)];
  // Of a block without its end nothing is known, least of all that it can be left out.
  if (blocks.length === 0 || blocks.length !== text.split("-----BEGIN").length - 1) {
    throw refused("NoPublicKey", "there is no complete PEM block PUBLIC KEY");
  }
  for (const [pem, label = ""] of blocks) {
    if (label !== "PUBLIC KEY") {
      throw refused("NotPublic", `there is a ${label} where a PUBLIC KEY must be`);
    }
    const key = trustedKey(pem);
    keys.set(key.pem, key);
  }
  if (keys.size > MAX_TRUSTED_KEYS) {
    throw refused("TooManyKeys", `there are ${keys.size} keys, the limit is ${MAX_TRUSTED_KEYS}`);
  }
  return [...keys.values()];
}

function trustedKey(pem: string): TrustedKey {
  const key = publicKey(pem);
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type !== "ec" || details?.namedCurve !== CURVE) {
    const kind = [type, details?.namedCurve].filter((part) => part !== undefined).join(" ");
    throw refused("UnsupportedKey", `the key is of the kind ${kind}, not ECDSA on P-256`);
  }
  return {
    fingerprint: fingerprintOf(createHash("sha256").update(exportDer(key)).digest("hex")),
    pem: key.export({ type: "spki", format: "pem" }).toString(),
  };
}

function publicKey(pem: string): KeyObject {
  try {
    return createPublicKey(pem);
  } catch (cause) {
    throw refused("NoPublicKey", "a PEM block PUBLIC KEY does not hold a key", cause);
  }
}

function exportDer(key: KeyObject): Uint8Array {
  return key.export({ type: "spki", format: "der" });
}

/** A key's {@linkcode TrustedKey.fingerprint}, from the sha256 of its DER form in hex. */
export function fingerprintOf(hex: string): string {
  return hex.slice(0, FINGERPRINT_DIGITS);
}

function refused(reason: TrustKeyReason, message: string, cause?: unknown): TrustKeyError {
  return new TrustKeyError({
    reason,
    message,
    remedy: "give the public key of the pair that packages are signed with (cosign.pub)",
    cause,
  });
}
