import {
  MAX_TRUSTED_KEYS,
  parseTrustedKeys,
  type TrustedKey,
  TrustKeyError,
} from "../package/mod.ts";
import { describeError } from "../std/mod.ts";
import { SettingsError } from "./settings.ts";

/** The largest key file, in bytes: room for every key and some words on each. */
const MAX_KEY_FILE = 64 << 10;

/**
 * Reads the files of the setting `trust-key`, each with one or more public keys.
 *
 * @returns No keys only where no file was given: then every package is accepted.
 * @throws {SettingsError} `TrustKeyUnusable`, naming the file. One that cannot be used is never left
 * out: the agent would refuse what it should take, or take what it should refuse.
 */
export function readTrustedKeys(paths: readonly string[]): TrustedKey[] {
  const keys = new Map<string, TrustedKey>();
  for (const path of paths) {
    for (const key of keysIn(path)) keys.set(key.pem, key);
  }
  if (keys.size > MAX_TRUSTED_KEYS) {
    throw unusable(`there are ${keys.size} trusted keys, the limit is ${MAX_TRUSTED_KEYS}`);
  }
  return [...keys.values()];
}

function keysIn(path: string): TrustedKey[] {
  const text = readKeyFile(path);
  try {
    return parseTrustedKeys(text);
  } catch (cause) {
    if (!(cause instanceof TrustKeyError)) throw cause;
    throw unusable(`the key file ${path} cannot be used: ${cause.message}`, cause.remedy);
  }
}

/** Reads no more than the limit: the path may be anything, a device too. */
function readKeyFile(path: string): string {
  const buffer = new Uint8Array(MAX_KEY_FILE + 1);
  let filled = 0;
  try {
    using file = Deno.openSync(path, { read: true });
    while (filled < buffer.length) {
      const count = file.readSync(buffer.subarray(filled));
      if (count === null) break;
      filled += count;
    }
  } catch (cause) {
    throw unusable(`the key file ${path} cannot be read: ${describeError(cause)}`);
  }
  if (filled > MAX_KEY_FILE) {
    throw unusable(`the key file ${path} has more than ${MAX_KEY_FILE} bytes`);
  }
  return new TextDecoder().decode(buffer.subarray(0, filled));
}

function unusable(message: string, remedy = "give --trust-key the public keys of those who sign") {
  return new SettingsError({
    reason: "TrustKeyUnusable",
    message,
    kept: "the agent does not start, so that nothing is taken in by wrong keys",
    remedy,
  });
}
