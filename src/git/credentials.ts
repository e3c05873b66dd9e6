import { Buffer } from "node:buffer";
import { createHash, timingSafeEqual } from "node:crypto";

/** Who may read. */
export interface Reader {
  readonly username: string;
  readonly password: string;
}

/** The longest `Authorization` header that is looked at, in characters. */
const MAX_AUTHORIZATION = 1_024;

/**
 * Whether an `Authorization` header is the reader's (RFC 7617). How long that takes does not depend
 * on what is right in it; nobody is let in with an empty password.
 */
export function isReader(authorization: string | null, { username, password }: Reader): boolean {
  if (authorization === null || authorization.length > MAX_AUTHORIZATION) return false;
  const [, encoded = ""] = /^basic +(\S+)$/i.exec(authorization) ?? [];
  const given = hash(bytesOf(encoded));
  const expected = hash(new TextEncoder().encode(`${username}:${password}`));
  return timingSafeEqual(given, expected) && password !== "";
}

function bytesOf(encoded: string): Uint8Array {
  return Buffer.from(encoded, "base64");
}

function hash(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}
