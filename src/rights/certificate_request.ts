import { createPublicKey, type KeyObject, sign } from "node:crypto";
import { der } from "../std/mod.ts";
import { DerReader } from "./der_reader.ts";
import { RightsError } from "./errors.ts";

const COMMON_NAME = "2.5.4.3";
const ORGANIZATION = "2.5.4.10";
const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
/** No request of ours is longer, in characters. */
const MAX_REQUEST = 16_384;

/** Who a request asks to be. */
export interface RequestedName {
  readonly commonName: string;
  readonly organization: string;
}

/** What stands in a request, as far as its approval needs it. */
export interface ParsedRequest {
  /** In their order; other attributes of a name go by their OID. */
  readonly subject: readonly { readonly type: string; readonly value: string }[];
  /** Whether it asks for anything else: other names, extensions, a challenge. */
  readonly hasAttributes: boolean;
}

/**
 * A certificate signing request (PKCS #10, RFC 2986), PEM, signed with ECDSA and SHA-256. It asks for
 * a subject and nothing else.
 *
 * @param key a private key on P-256.
 */
export function requestPem(key: KeyObject, name: RequestedName): string {
  const algorithm = der.sequence(der.oid(ECDSA_WITH_SHA256));
  const body = der.sequence(
    der.integer(Uint8Array.of(0)),
    der.sequence(
      relative(ORGANIZATION, name.organization),
      relative(COMMON_NAME, name.commonName),
    ),
    createPublicKey(key).export({ type: "spki", format: "der" }),
    // No attributes; the field itself is not optional.
    der.element(0xa0),
  );
  const signature = sign("sha256", body, key);
  return der.pem("CERTIFICATE REQUEST", der.sequence(body, algorithm, der.bitString(signature)));
}

/**
 * Reads a request as strictly as there is one way to read it: the signer is another program, and
 * must not see another name in it.
 *
 * @throws {RightsError} `RequestInvalid`.
 */
export function parseRequest(pem: string): ParsedRequest {
  const block =
    /^-----BEGIN CERTIFICATE REQUEST-----\n([A-Za-z0-9+/=\n]+)-----END CERTIFICATE REQUEST-----\n?$/
      .exec(pem);
  if (pem.length > MAX_REQUEST || block === null) throw invalid("it is not one PEM block");
  try {
    return parsed(Uint8Array.fromBase64((block[1] ?? "").replaceAll("\n", "")));
  } catch (cause) {
    if (cause instanceof RightsError) throw cause;
    throw invalid("it is no DER", cause);
  }
}

function parsed(bytes: Uint8Array): ParsedRequest {
  const request = new DerReader(bytes).only(0x30);
  const body = new DerReader(request.next(0x30));
  request.next(0x30);
  request.next(0x03);
  request.end();
  const version = body.next(0x02);
  if (version.length !== 1 || version[0] !== 0) throw invalid("its version is not 0");
  const name = new DerReader(body.next(0x30));
  body.next(0x30);
  const attributes = body.next(0xa0);
  body.end();
  const subject: { type: string; value: string }[] = [];
  while (!name.done) {
    const set = new DerReader(name.next(0x31));
    // More than one attribute in a set is allowed, and read in different ways.
    const pair = set.only(0x30);
    const type = der.oidText(pair.next(0x06));
    subject.push({ type: NAMES[type] ?? type, value: textOf(pair) });
    pair.end();
  }
  return { subject, hasAttributes: attributes.length > 0 };
}

const NAMES: Readonly<Record<string, string>> = { [COMMON_NAME]: "CN", [ORGANIZATION]: "O" };

/** UTF8String or PrintableString; others are read in different ways. */
function textOf(pair: DerReader): string {
  const { tag, content } = pair.any();
  if (tag !== 0x0c && tag !== 0x13) throw invalid(`a name is of type ${tag}`);
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(content);
}

function relative(type: string, value: string): Uint8Array {
  return der.set(der.sequence(der.oid(type), der.utf8String(value)));
}

function invalid(why: string, cause?: unknown): RightsError {
  return new RightsError({
    reason: "RequestInvalid",
    message: `the certificate signing request cannot be read: ${why}`,
    disposition: "terminal",
    ...(cause === undefined ? {} : { cause }),
  });
}
