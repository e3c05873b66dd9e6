import assert from "node:assert/strict";
import { der } from "../std/mod.ts";
import { DerReader } from "./der_reader.ts";

Deno.test("elements are read in their order, of any length", () => {
  for (const size of [0, 127, 128, 255, 256, 70_000]) {
    const content = new Uint8Array(size).fill(7);
    const reader = new DerReader(new Uint8Array([...der.octetString(content), ...der.TRUE]));
    assert.deepEqual(reader.next(0x04), content);
    assert.equal(reader.done, false);
    assert.deepEqual(reader.any(), { tag: 0x01, content: Uint8Array.of(0xff) });
    reader.end();
  }
});

Deno.test("what has another encoding is refused", () => {
  const cases: [string, string][] = [
    ["nothing", ""],
    ["a tag alone", "04"],
    ["a cut length", "0482"],
    ["a cut content", "040201"],
    ["no length", "0480"],
    ["a long form that is not needed", "04810100"],
    ["a long form with zeros", "04820080" + "00".repeat(128)],
    ["a length of four bytes", "048400000001" + "00"],
    ["a tag of several bytes", "1f810100"],
  ];
  for (const [what, hex] of cases) {
    assert.throws(() => new DerReader(Uint8Array.fromHex(hex)).any(), RangeError, what);
  }
  assert.throws(() => new DerReader(der.TRUE).next(0x02), RangeError, "another tag");
  const two = new Uint8Array([...der.sequence(), ...der.TRUE]);
  assert.throws(() => new DerReader(two).only(0x30), RangeError, "something behind");
});
