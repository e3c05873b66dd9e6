import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import { der } from "../std/mod.ts";

/** The name that Zarf's agent is called by; a Service of this name may point here. */
export const SERVER_DNS_NAME = "agent-hook.zarf.svc";

/** Both loopback addresses: the API server calls the agent on its own node. */
const SERVER_ADDRESSES: readonly Uint8Array[] = [
  Uint8Array.of(127, 0, 0, 1),
  Uint8Array.of(...new Array<number>(15).fill(0), 1),
];

/** From when to when a certificate counts. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/**
 * From the first moment that a clock can show to the one that RFC 5280 (4.1.2.5) sets aside for "no
 * date of expiry".
 *
 * A node without a battery starts in 1970, and one without a time server may be years off in both
 * directions. Dates that are counted from such a clock would make every API server refuse the webhook
 * as soon as somebody sets it right, and with `failurePolicy: Fail` no pod would start again. So no
 * date depends on the clock, and none runs out; renewal goes by age (rotation.ts). What the dates would
 * protect from is small: only the API server trusts this CA, and only for one address on its own node.
 */
export const ANY_TIME: Validity = {
  notBefore: new Date("1970-01-01T00:00:00Z"),
  notAfter: new Date("9999-12-31T23:59:59Z"),
};

/** A certificate and its key, PEM. */
export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
}

/** Validities that differ from {@linkcode ANY_TIME}. */
export interface IssueOptions {
  readonly ca?: Validity;
  readonly server?: Validity;
}

/** A new CA with one server certificate; everything is PEM. */
export interface IssuedCertificates extends CertificateAndKey {
  readonly ca: string;
  readonly caKey: string;
}

/** Makes a CA and a server certificate of it. */
export function issueCertificates(options: IssueOptions = {}): IssuedCertificates {
  const ca = issueCa(options.ca);
  return { ca: ca.cert, caKey: ca.key, ...issueServerCertificate(ca.key, options.server) };
}

/**
 * Makes a CA with an ECDSA key on P-256, so that Go's verifier in the API server and
 * `openssl verify -x509_strict` accept it.
 */
export function issueCa(validity: Validity = ANY_TIME): CertificateAndKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const cert = certificate({
    issuerKey: privateKey,
    subject: CA_NAME,
    publicKey,
    validity,
    extensions: [
      extension(BASIC_CONSTRAINTS, der.sequence(der.TRUE, der.integer(Uint8Array.of(0))), true),
      // keyCertSign and cRLSign, bits 5 and 6.
      extension(KEY_USAGE, der.bitString(Uint8Array.of(0x06), 1), true),
    ],
  });
  return { cert, key: privatePem(privateKey) };
}

/**
 * Makes a server certificate for {@linkcode SERVER_DNS_NAME}, 127.0.0.1 and ::1, with a key of its own.
 *
 * @param caKey of a CA that {@linkcode issueCa} made, PEM.
 */
export function issueServerCertificate(
  caKey: string,
  validity: Validity = ANY_TIME,
): CertificateAndKey {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const cert = certificate({
    issuerKey: createPrivateKey(caKey),
    subject: nameOf(SERVER_DNS_NAME),
    publicKey,
    validity,
    extensions: [
      extension(BASIC_CONSTRAINTS, der.sequence(), true),
      // digitalSignature, bit 0.
      extension(KEY_USAGE, der.bitString(Uint8Array.of(0x80), 7), true),
      extension(EXTENDED_KEY_USAGE, der.sequence(der.oid(SERVER_AUTH))),
      extension(SUBJECT_ALT_NAME, alternativeNames()),
    ],
  });
  return { cert, key: privatePem(privateKey) };
}

const BASIC_CONSTRAINTS = "2.5.29.19";
const KEY_USAGE = "2.5.29.15";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const SUBJECT_ALT_NAME = "2.5.29.17";
const SUBJECT_KEY_ID = "2.5.29.14";
const AUTHORITY_KEY_ID = "2.5.29.35";
const SERVER_AUTH = "1.3.6.1.5.5.7.3.1";
const COMMON_NAME = "2.5.4.3";
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
/** An uncompressed point on P-256, which ends the key's DER. */
const POINT_BYTES = 65;
/** The most that a serial number may have (RFC 5280, 4.1.2.2: 20, with room for the sign). */
const SERIAL_BYTES = 16;
/** Every CA's: which of them signed is told by the key's id. */
const CA_NAME = nameOf("Holdfast admission CA");

interface Request {
  readonly issuerKey: KeyObject;
  readonly subject: Uint8Array;
  readonly publicKey: KeyObject;
  readonly validity: Validity;
  readonly extensions: readonly Uint8Array[];
}

function certificate(request: Request): string {
  const { issuerKey, subject, publicKey, validity, extensions } = request;
  const algorithm = der.sequence(der.oid(ECDSA_WITH_SHA256));
  const issuerKeyId = der.element(0x80, keyId(createPublicKey(issuerKey)));
  const body = der.sequence(
    der.explicit(0, der.integer(Uint8Array.of(2))),
    der.integer(randomBytes(SERIAL_BYTES)),
    algorithm,
    CA_NAME,
    der.sequence(der.time(validity.notBefore), der.time(validity.notAfter)),
    subject,
    publicKey.export({ type: "spki", format: "der" }),
    der.explicit(
      3,
      der.sequence(
        ...extensions,
        extension(SUBJECT_KEY_ID, der.octetString(keyId(publicKey))),
        extension(AUTHORITY_KEY_ID, der.sequence(issuerKeyId)),
      ),
    ),
  );
  const signature = sign("sha256", body, issuerKey);
  return der.pem("CERTIFICATE", der.sequence(body, algorithm, der.bitString(signature)));
}

function extension(id: string, value: Uint8Array, isCritical = false): Uint8Array {
  const content = der.octetString(value);
  return isCritical
    ? der.sequence(der.oid(id), der.TRUE, content)
    : der.sequence(der.oid(id), content);
}

function alternativeNames(): Uint8Array {
  return der.sequence(
    der.element(0x82, new TextEncoder().encode(SERVER_DNS_NAME)),
    ...SERVER_ADDRESSES.map((address) => der.element(0x87, address)),
  );
}

function nameOf(commonName: string): Uint8Array {
  return der.sequence(der.set(der.sequence(der.oid(COMMON_NAME), der.utf8String(commonName))));
}

/** RFC 7093, method 1: the leftmost 160 bits of the SHA-256 of the public key. */
function keyId(publicKey: KeyObject): Uint8Array {
  const point = publicKey.export({ type: "spki", format: "der" }).subarray(-POINT_BYTES);
  return createHash("sha256").update(point).digest().subarray(0, 20);
}

function privatePem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString();
}
