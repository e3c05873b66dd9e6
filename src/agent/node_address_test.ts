import assert from "node:assert/strict";
import { canonicalAddress, hostOf, isEverywhere } from "./node_address.ts";

Deno.test("an address has one form, and what is none has none", () => {
  const rows: [text: string, expected: string | undefined][] = [
    ["10.0.0.1", "10.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["FD00:0:0::1", "fd00::1"],
    ["::ffff:10.0.0.1", "::ffff:a00:1"],
    ["10.0.0.256", undefined],
    ["10.0.0.01", undefined],
    ["10.0.0", undefined],
    ["0x0a000001", undefined],
    ["fd00::1::2", undefined],
    ["fe80::1%eth0", undefined],
    ["[::1]", undefined],
    ["node", undefined],
    ["", undefined],
  ];
  for (const [text, expected] of rows) assert.equal(canonicalAddress(text), expected, text);
});

Deno.test("addresses that every machine has name none", () => {
  for (const address of ["127.0.0.1", "::1", "0.0.0.0", "::"]) assert(isEverywhere(address));
  for (const address of ["127.0.0.2", "10.0.0.1", "fd00::1"]) assert(!isEverywhere(address));
});

Deno.test("in a URL an IPv6 address has brackets", () => {
  assert.equal(hostOf("fd00::1"), "[fd00::1]");
  assert.equal(hostOf("10.0.0.1"), "10.0.0.1");
});
