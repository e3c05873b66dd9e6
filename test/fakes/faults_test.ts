import assert from "node:assert/strict";
import { Faults } from "./faults.ts";

/** An interface as the store's file system is one. */
function recorder() {
  const seen: string[] = [];
  return {
    seen,
    add: (text: string) => void seen.push(text),
    open: (name: string) => ({
      write: (bytes: Uint8Array) => void seen.push(`${name} ${bytes.length}`),
      close: () => void seen.push(`${name} closed`),
    }),
  };
}

const broken = () => new Error("broken");

Deno.test("the nth call fails and is not made, the others are", () => {
  const faults = new Faults();
  const real = recorder();
  const { add } = faults.over(real);
  add("before");
  faults.arm(2, broken);
  add("one");
  assert.throws(() => add("two"), /broken/);
  add("three");
  assert.deepEqual(real.seen, ["before", "one", "three"]);
  assert.deepEqual([faults.calls, faults.failed], [["add", "add", "add"], "add"]);
  faults.disarm();
  assert.deepEqual([faults.calls, faults.failed], [[], undefined]);
});

Deno.test("a file that a call opens may fail too, having written half, and is closed", () => {
  const faults = new Faults();
  const real = recorder();
  faults.arm(3, broken);
  const file = faults.over(real).open("file");
  file.write(new Uint8Array(8));
  assert.throws(() => file.write(new Uint8Array(8)), /broken/);
  file.close();
  assert.deepEqual(real.seen, ["file 8", "file 4", "file closed"]);
  assert.deepEqual([faults.calls, faults.failed], [
    ["open", "open.write", "open.write"],
    "open.write",
  ]);
});
