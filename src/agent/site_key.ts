import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";

const KEY_BYTES = 32;
const NONCE_BYTES = 32;
/** What a nonce, and what is signed, looks like. */
export const HEX_32: RegExp = /^[0-9a-f]{64}$/;

/** 32 bytes that nobody can guess, hexadecimal. */
export function newNonce(): string {
  return crypto.getRandomValues(new Uint8Array(NONCE_BYTES)).toHex();
}

/**
 * Makes messages between machines of one site authentic by a secret that they share. Nothing secret
 * goes over the wire.
 */
export class SiteKey {
  readonly #key: Uint8Array;

  /**
   * @param secret as Talos has it.
   * @param use what the key is for; keys of two uses say nothing of each other.
   */
  constructor(secret: string, use: string) {
    this.#key = new Uint8Array(hkdfSync("sha256", secret, "", use, KEY_BYTES));
  }

  /** @param kind keeps messages of different kinds from standing for each other. */
  sign(kind: string, what: unknown): string {
    return createHmac("sha256", this.#key).update(JSON.stringify([kind, what])).digest("hex");
  }

  /** @param mac as {@linkcode HEX_32} has it. */
  isSigned(kind: string, what: unknown, mac: string): boolean {
    return timingSafeEqual(
      Uint8Array.fromHex(this.sign(kind, what)),
      Uint8Array.fromHex(mac),
    );
  }
}
