import { X509Certificate } from "node:crypto";
import {
  bitString,
  type Bytes,
  concat,
  ecdsaSignature,
  explicit,
  implicit,
  integer,
  octetString,
  oid,
  pem,
  sequence,
  TAG,
  time,
  tlv,
  TRUE,
} from "./der.ts";

/** What the webhook and its configuration need, each in PEM. The CA's key is thrown away. */
export interface AdmissionTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

/** The name of Zarf's own webhook Service: one certificate fits both ways of calling. */
const DNS_NAME = "agent-hook.zarf.svc";
const ADDRESSES = [
  [127, 0, 0, 1],
  [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
];
/**
 * Certificates are valid from here on, whenever they are made: a node whose clock runs behind must
 * not find a certificate of its neighbour's to be of the future.
 */
export const VALID_FROM: Date = new Date("2020-01-01T00:00:00Z");
const YEAR = 365 * 86_400_000;
const CA_VALIDITY = 10 * YEAR;
const LEAF_VALIDITY = YEAR;
/** A certificate is made anew when less than this is left, in milliseconds. */
const RENEW_BEFORE = LEAF_VALIDITY / 3;

const OID = {
  commonName: oid("2.5.4.3"),
  organization: oid("2.5.4.10"),
  ecdsaWithSha256: oid("1.2.840.10045.4.3.2"),
  basicConstraints: oid("2.5.29.19"),
  keyUsage: oid("2.5.29.15"),
  extendedKeyUsage: oid("2.5.29.37"),
  serverAuth: oid("1.3.6.1.5.5.7.3.1"),
  subjectAltName: oid("2.5.29.17"),
  subjectKeyIdentifier: oid("2.5.29.14"),
  authorityKeyIdentifier: oid("2.5.29.35"),
} as const;

/**
 * A new certificate authority (10 years) and a certificate of it for the webhook (1 year), both on
 * P-256, for `agent-hook.zarf.svc`, `127.0.0.1` and `::1`.
 *
 * @param now A clock that stands before {@linkcode VALID_FROM} counts as standing there.
 */
export async function createAdmissionTls(now: Date = new Date()): Promise<AdmissionTls> {
  const from = now.getTime() < VALID_FROM.getTime() ? VALID_FROM : now;
  const authority = await newKeys();
  const leaf = await newKeys();
  const issuer = nameOf("Holdfast admission CA");
  const sign = (subject: Subject) => certificate(subject, issuer, authority);
  const ca = await sign({
    name: issuer,
    keys: authority,
    until: new Date(from.getTime() + CA_VALIDITY),
    extensions: caExtensions(authority.id),
  });
  const cert = await sign({
    name: nameOf(DNS_NAME),
    keys: leaf,
    until: new Date(from.getTime() + LEAF_VALIDITY),
    extensions: leafExtensions(leaf.id, authority.id),
  });
  const key = new Uint8Array(await crypto.subtle.exportKey("pkcs8", leaf.pair.privateKey));
  return {
    ca: pem("CERTIFICATE", ca),
    cert: pem("CERTIFICATE", cert),
    key: pem("PRIVATE KEY", key),
  };
}

/**
 * Whether the certificate should be replaced: it cannot be read, is not the CA's, or has less than
 * a third of its year left. With a clock before {@linkcode VALID_FROM} it is left alone.
 */
export function needsRenewal(tls: AdmissionTls, now: Date = new Date()): boolean {
  try {
    const cert = new X509Certificate(tls.cert);
    if (!cert.verify(new X509Certificate(tls.ca).publicKey)) return true;
    return new Date(cert.validTo).getTime() - now.getTime() < RENEW_BEFORE;
  } catch {
    return true;
  }
}

interface Keys {
  readonly pair: CryptoKeyPair;
  /** SubjectPublicKeyInfo. */
  readonly spki: Bytes;
  /** The key's identifier: RFC 7093, method 1. */
  readonly id: Bytes;
}

interface Subject {
  readonly name: Bytes;
  readonly keys: Keys;
  readonly until: Date;
  readonly extensions: readonly Bytes[];
}

async function newKeys(): Promise<Keys> {
  const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, [
    "sign",
    "verify",
  ]);
  const spki = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
  const point = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", point));
  return { pair, spki, id: hash.slice(0, 20) };
}

/** RFC 5280, 4.1: Certificate. */
async function certificate(subject: Subject, issuer: Bytes, authority: Keys): Promise<Bytes> {
  const algorithm = sequence(OID.ecdsaWithSha256);
  const serial = crypto.getRandomValues(new Uint8Array(16));
  // A first byte in 0x40..0x7f makes it positive and of full length.
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const body = sequence(
    explicit(0, integer(new Uint8Array([2]))),
    integer(serial),
    algorithm,
    issuer,
    sequence(time(VALID_FROM), time(subject.until)),
    subject.name,
    subject.keys.spki,
    explicit(3, sequence(...subject.extensions)),
  );
  const signature = await crypto.subtle.sign(
    { name: "ECDSA", hash: "SHA-256" },
    authority.pair.privateKey,
    body,
  );
  return sequence(body, algorithm, bitString(ecdsaSignature(new Uint8Array(signature))));
}

function nameOf(commonName: string): Bytes {
  const attribute = (type: Uint8Array, text: string) =>
    tlv(TAG.set, sequence(type, tlv(TAG.utf8String, new TextEncoder().encode(text))));
  return sequence(
    attribute(OID.organization, "Holdfast"),
    attribute(OID.commonName, commonName),
  );
}

function extension(id: Uint8Array, value: Uint8Array, critical = false): Bytes {
  return sequence(id, critical ? TRUE : new Uint8Array(), octetString(value));
}

/** Bits of keyUsage (RFC 5280, 4.2.1.3): keyCertSign and cRLSign, or digitalSignature. */
const SIGN_CERTIFICATES = bitString(new Uint8Array([0b0000_0110]), 1);
const SIGN_HANDSHAKES = bitString(new Uint8Array([0b1000_0000]), 7);

function caExtensions(id: Uint8Array): Bytes[] {
  const pathLength = integer(new Uint8Array([0]));
  return [
    extension(OID.basicConstraints, sequence(TRUE, pathLength), true),
    extension(OID.keyUsage, SIGN_CERTIFICATES, true),
    extension(OID.subjectKeyIdentifier, octetString(id)),
  ];
}

function leafExtensions(id: Uint8Array, authorityId: Uint8Array): Bytes[] {
  const names = concat(
    implicit(2, new TextEncoder().encode(DNS_NAME)),
    ...ADDRESSES.map((address) => implicit(7, new Uint8Array(address))),
  );
  return [
    extension(OID.basicConstraints, sequence(), true),
    extension(OID.keyUsage, SIGN_HANDSHAKES, true),
    extension(OID.extendedKeyUsage, sequence(OID.serverAuth)),
    extension(OID.subjectAltName, sequence(names)),
    extension(OID.subjectKeyIdentifier, octetString(id)),
    extension(OID.authorityKeyIdentifier, sequence(implicit(0, authorityId))),
  ];
}
