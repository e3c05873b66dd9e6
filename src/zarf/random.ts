/**
 * The characters of Zarf's generated passwords: 65 of them, none of which needs quoting in an
 * htpasswd file, a URL's user part or YAML (defenseunicorns/pkg, helpers/v2/random.go).
 */
const ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!~-";

/** Fills an array with random bytes; tests bring a predictable one. */
export type RandomBytes = (length: number) => Uint8Array;

/** The operating system's cryptographic generator. */
export const systemRandom: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));

/** The length of Zarf's generated passwords (src/pkg/state/state.go). */
export const PASSWORD_LENGTH = 24;
/** The length of the registry's own secret (src/pkg/state/state.go). */
export const REGISTRY_SECRET_LENGTH = 48;

/**
 * `length` characters of {@linkcode ALPHABET}. Zarf takes each byte modulo 65, which favours the
 * first 61 characters; bytes of 195 and more are drawn again here, so that all are equally likely.
 */
export function randomPassword(length: number, random: RandomBytes = systemRandom): string {
  const limit = 256 - 256 % ALPHABET.length;
  let password = "";
  while (password.length < length) {
    for (const byte of random(length)) {
      if (byte < limit && password.length < length) password += ALPHABET[byte % ALPHABET.length];
    }
  }
  return password;
}
