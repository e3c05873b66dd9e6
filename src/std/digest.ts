import { createHash, type Hash } from "node:crypto";

/** `sha256:` and 64 lower-case hexadecimal digits (OCI image-spec, descriptor.md). */
export type Digest = `sha256:${string}`;

/** Whether `text` is a well-formed sha256 digest. Other algorithms are not accepted anywhere. */
export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/** The 64 digits after `sha256:`. */
export function digestHex(digest: Digest): string {
  return digest.slice("sha256:".length);
}

/** The digest of bytes that are all in memory. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

/** A running sha256: OpenSSL's, which is the fastest one that Deno has. */
export class Digester {
  readonly #hash: Hash = createHash("sha256");

  update(chunk: Uint8Array): void {
    this.#hash.update(chunk);
  }

  /** The digest of everything so far; the digester is used up. */
  finish(): Digest {
    return `sha256:${this.#hash.digest("hex")}`;
  }
}
