import assert from "node:assert/strict";
import * as der from "./der.ts";

const hex = (bytes: Uint8Array) => bytes.toHex();

Deno.test("elements are encoded as X.690 and openssl write them", () => {
  const cases: [string, Uint8Array, string][] = [
    ["an integer", der.integer(Uint8Array.of(0x7f)), "02017f"],
    [
      "an integer with its top bit set stays positive",
      der.integer(Uint8Array.of(0x80)),
      "02020080",
    ],
    ["zeros in front are dropped", der.integer(Uint8Array.of(0, 0, 1, 0)), "02020100"],
    ["zero keeps one byte", der.integer(Uint8Array.of(0, 0)), "020100"],
    ["true", der.TRUE, "0101ff"],
    ["an empty sequence", der.sequence(), "3000"],
    ["a sequence", der.sequence(der.TRUE, der.integer(Uint8Array.of(0))), "30060101ff020100"],
    ["a set", der.set(der.TRUE), "31030101ff"],
    ["an explicit tag", der.explicit(3, der.TRUE), "a3030101ff"],
    ["a bit string with unused bits", der.bitString(Uint8Array.of(0x06), 1), "03020106"],
    ["an octet string", der.octetString(Uint8Array.of(1, 2)), "04020102"],
    ["text beyond ASCII", der.utf8String("é"), "0c02c3a9"],
    ["ecdsa-with-SHA256", der.oid("1.2.840.10045.4.3.2"), "06082a8648ce3d040302"],
    ["basicConstraints", der.oid("2.5.29.19"), "0603551d13"],
  ];
  for (const [name, bytes, wanted] of cases) assert.equal(hex(bytes), wanted, name);
});

Deno.test("an object identifier is read back", () => {
  for (const id of ["2.5.4.3", "1.2.840.10045.4.3.2", "0.9.2342", "2.999.1", "1.3.6.1.4.1.311"]) {
    assert.equal(der.oidText(der.oid(id).subarray(2)), id);
  }
});

Deno.test("lengths take as many bytes as they need", () => {
  const cases: [number, string][] = [
    [0, "0400"],
    [127, "047f"],
    [128, "048180"],
    [255, "0481ff"],
    [256, "04820100"],
    [65536, "0483010000"],
  ];
  for (const [size, head] of cases) {
    const bytes = der.octetString(new Uint8Array(size));
    assert.equal(hex(bytes.subarray(0, head.length / 2)), head);
    assert.equal(bytes.length, head.length / 2 + size);
  }
});

Deno.test("a date is UTCTime from 1950 to 2049 and GeneralizedTime else", () => {
  const cases: [string, number, string][] = [
    ["1970-01-01T00:00:00Z", 0x17, "700101000000Z"],
    ["2049-12-31T23:59:59.999Z", 0x17, "491231235959Z"],
    ["2050-01-01T00:00:00Z", 0x18, "20500101000000Z"],
    ["9999-12-31T23:59:59Z", 0x18, "99991231235959Z"],
  ];
  for (const [date, tag, text] of cases) {
    const bytes = der.time(new Date(date));
    assert.equal(bytes[0], tag);
    assert.equal(new TextDecoder().decode(bytes.subarray(2)), text);
  }
});

Deno.test("PEM has lines of 64 characters", () => {
  assert.equal(
    der.pem("X", new Uint8Array(50)),
    `-----BEGIN X-----\n${"A".repeat(64)}\n${"A".repeat(3)}=\n-----END X-----\n`,
  );
});
