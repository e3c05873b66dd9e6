/**
 * A certificate authority for clients, in the place of the one of a cluster: signs what is asked for.
 *
 * @module
 */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { der } from "../../src/std/mod.ts";

/** How a certificate is made. */
export interface Issue {
  readonly commonName: string;
  readonly organization: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const ALGORITHM = der.sequence(der.oid("1.2.840.10045.4.3.2"));

/** A new key on P-256. */
export function newKey(): KeyObject {
  return generateKeyPairSync("ec", { namedCurve: "prime256v1" }).privateKey;
}

/** A key as PEM. */
export function keyPem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}

/** A certificate (PEM) of a key, public or private, or of its DER. */
export function issue(key: KeyObject | Uint8Array, options: Issue): string {
  const publicKey = key instanceof Uint8Array
    ? key
    : createPublicKey(key).export({ type: "spki", format: "der" });
  const body = der.sequence(
    der.explicit(0, der.integer(Uint8Array.of(2))),
    der.integer(crypto.getRandomValues(new Uint8Array(8))),
    ALGORITHM,
    nameOf([["2.5.4.3", "test CA"]]),
    der.sequence(der.time(options.notBefore), der.time(options.notAfter)),
    nameOf([["2.5.4.10", options.organization], ["2.5.4.3", options.commonName]]),
    publicKey,
  );
  const signature = der.bitString(sign("sha256", body, newKey()));
  return der.pem("CERTIFICATE", der.sequence(body, ALGORITHM, signature));
}

/** The DER of the public key in a certificate signing request that has one on P-256. */
export function requestedKey(pem: string): Uint8Array {
  const bytes = Uint8Array.fromBase64(pem.replaceAll(/-----[^-]+-----|\s/g, ""));
  // A key on P-256 is always this long, and begins with its algorithm.
  const start = bytes.toHex().indexOf("3059301306072a8648ce3d0201") / 2;
  return bytes.subarray(start, start + 91);
}

function nameOf(parts: readonly (readonly [string, string])[]): Uint8Array {
  return der.sequence(
    ...parts.map(([type, value]) => der.set(der.sequence(der.oid(type), der.utf8String(value)))),
  );
}
