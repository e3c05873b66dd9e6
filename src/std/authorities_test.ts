import assert from "node:assert/strict";
import { machineCertificates } from "./mod.ts";

const NAME = "SSL_CERT_FILE";

/** Runs with the variable as it is given, and sets it back. */
function withFile(file: string | undefined, action: () => void): void {
  const before = Deno.env.get(NAME);
  const set = (value: string | undefined) =>
    value === undefined ? Deno.env.delete(NAME) : Deno.env.set(NAME, value);
  set(file);
  try {
    action();
  } finally {
    set(before);
  }
}

Deno.test("the file that the environment names is the one that counts", () => {
  const file = Deno.makeTempFileSync({ prefix: "holdfast-authorities-" });
  try {
    Deno.writeTextFileSync(file, "of the site");
    withFile(file, () => assert.deepEqual(machineCertificates(), ["of the site"]));
  } finally {
    Deno.removeSync(file);
  }
  withFile(file, () => assert.deepEqual(machineCertificates(), []));
});

Deno.test("else it is the distribution's, or nothing", () => {
  withFile(undefined, () => {
    const found = machineCertificates();
    assert(found.length <= 1);
    for (const text of found) assert.match(text, /-----BEGIN CERTIFICATE-----/);
  });
});
