/**
 * ASN.1 in DER (X.690), as much of it as certificates and requests for them need. Every function
 * gives one element.
 */

type Bytes = Uint8Array<ArrayBuffer>;

/** One element: its tag, its length, its content. */
export function element(tag: number, ...content: readonly Uint8Array[]): Bytes {
  const size = content.reduce((sum, part) => sum + part.length, 0);
  return concat([Uint8Array.of(tag, ...lengthOf(size)), ...content]);
}

/** SEQUENCE. */
export function sequence(...content: readonly Uint8Array[]): Bytes {
  return element(0x30, ...content);
}

/** SET of one element, which needs no sorting. */
export function set(content: Uint8Array): Bytes {
  return element(0x31, content);
}

/** An explicitly tagged element, `[number] EXPLICIT`. */
export function explicit(number: number, content: Uint8Array): Bytes {
  return element(0xa0 | number, content);
}

/** INTEGER, not negative, from its big-endian bytes. */
export function integer(bytes: Uint8Array): Bytes {
  const first = bytes.findIndex((byte) => byte !== 0);
  const short = first < 0 ? Uint8Array.of(0) : bytes.subarray(first);
  // The top bit would make the number negative.
  const isSigned = ((short[0] ?? 0) & 0x80) !== 0;
  return isSigned ? element(0x02, Uint8Array.of(0), short) : element(0x02, short);
}

/** BOOLEAN TRUE; DER leaves out FALSE where it is the default. */
export const TRUE: Bytes = element(0x01, Uint8Array.of(0xff));

/** BIT STRING of whole bytes, or with `unused` bits at its end. */
export function bitString(bytes: Uint8Array, unused = 0): Bytes {
  return element(0x03, Uint8Array.of(unused), bytes);
}

/** OCTET STRING. */
export function octetString(bytes: Uint8Array): Bytes {
  return element(0x04, bytes);
}

/** UTF8String. */
export function utf8String(text: string): Bytes {
  return element(0x0c, new TextEncoder().encode(text));
}

/** OBJECT IDENTIFIER from its dotted form. */
export function oid(dotted: string): Bytes {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return element(0x06, Uint8Array.from([40 * first + second, ...rest].flatMap(base128)));
}

/** The dotted form of an OBJECT IDENTIFIER's content. */
export function oidText(content: Uint8Array): string {
  const numbers: number[] = [];
  let number = 0;
  for (const byte of content) {
    number = number * 128 + (byte & 0x7f);
    if ((byte & 0x80) !== 0) continue;
    numbers.push(number);
    number = 0;
  }
  const [joined = 0, ...rest] = numbers;
  const first = Math.min(Math.floor(joined / 40), 2);
  return [first, joined - 40 * first, ...rest].join(".");
}

/** Time of a certificate: UTCTime from 1950 to 2049, else GeneralizedTime (RFC 5280, 4.1.2.5). */
export function time(date: Date): Bytes {
  const digits = date.toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  const year = date.getUTCFullYear();
  const isShort = year >= 1950 && year < 2050;
  const text = new TextEncoder().encode(isShort ? digits.slice(2) : digits);
  return element(isShort ? 0x17 : 0x18, text);
}

/** PEM of DER bytes. */
export function pem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}

function lengthOf(size: number): number[] {
  if (size < 0x80) return [size];
  const bytes: number[] = [];
  for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return [0x80 | bytes.length, ...bytes];
}

function base128(number: number): number[] {
  const bytes = [number % 128];
  for (let rest = Math.floor(number / 128); rest > 0; rest = Math.floor(rest / 128)) {
    bytes.unshift(0x80 | rest % 128);
  }
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
