import assert from "node:assert/strict";
import { shownValues } from "./shown_values.ts";

const redact = (text: string) => text.replaceAll("geheim", "***");

Deno.test("values are shown as they are, but for what is secret", () => {
  const values = {
    app: { replicas: 3, on: true, none: null, name: "shop", url: "https://me:geheim@host/" },
    list: [1, "geheim", { password: "x" }],
  };
  assert.deepEqual(shownValues(values, redact), {
    app: { replicas: 3, on: true, none: null, name: "shop", url: "https://me:***@host/" },
    list: [1, "***", { password: "***" }],
  });
});

for (
  const key of [
    ...["password", "dbPassword", "DB_PASSWORD", "passwd", "passphrase", "pass", "pwd", "pin"],
    ...["secret", "clientSecret", "secrets", "token", "authToken", "credentials", "auth"],
    ...["privateKey", "private_key", "api-key", "apiKey", "accessKey", "tlsKey"],
  ]
) {
  Deno.test(`what is below ${key} is secret`, () => {
    for (const value of ["a", 1, true, { a: "b" }, ["a"]]) {
      assert.deepEqual(shownValues({ [key]: value }, redact), { [key]: "***" });
    }
  });
}

for (
  const key of ["passage", "pinned", "author", "key", "keys", "publicKeys", "monkey", "opinion"]
) {
  Deno.test(`what is below ${key} is not`, () => {
    assert.deepEqual(shownValues({ [key]: "a" }, redact), { [key]: "a" });
  });
}
