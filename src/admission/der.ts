/**
 * As much DER as certificates need (ITU-T X.690).
 *
 * @module
 */

/** Bytes that own their buffer, as WebCrypto wants them. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Tags, X.690 8.1.2 and X.680. */
export const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  utcTime: 0x17,
  generalizedTime: 0x18,
} as const;

/** Bytes one after the other. */
export function concat(...parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** A value with its tag and length. */
export function tlv(tag: number, ...content: readonly Uint8Array[]): Bytes {
  const value = concat(...content);
  return concat(new Uint8Array([tag, ...lengthOf(value.length)]), value);
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 + bytes.length, ...bytes];
}

/** SEQUENCE. */
export function sequence(...content: readonly Uint8Array[]): Bytes {
  return tlv(TAG.sequence, ...content);
}

/** Context-specific and constructed, for example `[0]`. */
export function explicit(number: number, ...content: readonly Uint8Array[]): Bytes {
  return tlv(0xa0 + number, ...content);
}

/** Context-specific and primitive. */
export function implicit(number: number, content: Uint8Array): Bytes {
  return tlv(0x80 + number, content);
}

/** A non-negative INTEGER from its big-endian bytes. */
export function integer(bytes: Uint8Array): Bytes {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const short = bytes.subarray(start);
  const sign = (short[0] ?? 0) >= 0x80 ? [0] : [];
  return tlv(TAG.integer, new Uint8Array(sign), short);
}

/** BIT STRING of whole bytes, or without the last `unused` bits. */
export function bitString(bytes: Uint8Array, unused = 0): Bytes {
  return tlv(TAG.bitString, new Uint8Array([unused]), bytes);
}

/** OCTET STRING. */
export function octetString(bytes: Uint8Array): Bytes {
  return tlv(TAG.octetString, bytes);
}

/** BOOLEAN TRUE; FALSE is a default and never written. */
export const TRUE: Uint8Array = new Uint8Array([0x01, 0x01, 0xff]);

/** OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Bytes {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  const bytes = rest.flatMap((arc) => {
    const digits = [arc % 128];
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) {
      digits.unshift(128 + left % 128);
    }
    return digits;
  });
  return tlv(0x06, new Uint8Array([first * 40 + second, ...bytes]));
}

/** A moment in whole seconds: UTCTime before 2050, GeneralizedTime from then on (RFC 5280, 4.1.2.5). */
export function time(date: Date): Bytes {
  const digits = date.toISOString().replaceAll(/\.\d+|[-:T]/g, "");
  return date.getUTCFullYear() < 2050
    ? tlv(TAG.utcTime, new TextEncoder().encode(digits.slice(2)))
    : tlv(TAG.generalizedTime, new TextEncoder().encode(digits));
}

/** A signature as WebCrypto gives it (r and s, half each) in X9.62's form. */
export function ecdsaSignature(raw: Uint8Array): Bytes {
  const half = raw.length / 2;
  return sequence(integer(raw.subarray(0, half)), integer(raw.subarray(half)));
}

/** PEM (RFC 7468). */
export function pem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
