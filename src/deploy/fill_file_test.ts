import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { DeployError } from "./errors.ts";
import { copyFilled } from "./fill_file.ts";

const TEMPLATES = new Map([
  ["###ZARF_VAR_A###", { value: "value" }],
  ["###ZARF_VAR_LINES###", { value: "one\ntwo", autoIndent: true }],
]);

function fill(dir: string, content: Uint8Array | string): Uint8Array {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  Deno.writeFileSync(`${dir}/from`, bytes);
  using from = Deno.openSync(`${dir}/from`);
  using to = Deno.openSync(`${dir}/to`, { write: true, create: true, truncate: true });
  copyFilled(from, to, TEMPLATES);
  return Deno.readFileSync(`${dir}/to`);
}

const text = (bytes: Uint8Array) => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);

Deno.test("variables are filled in, and all else stays as it is", () =>
  withDirectory((dir) => {
    const rows: [content: string, expected: string][] = [
      ["", ""],
      ["a ###ZARF_VAR_A### b", "a value b"],
      ["no end\r\n###ZARF_VAR_B###\n", "no end\r\n###ZARF_VAR_B###\n"],
      ["key: ###ZARF_VAR_LINES###\nlast", "key: one\n     two\nlast"],
      ["\ufeff###ZARF_VAR_A###\n", "\ufeffvalue\n"],
    ];
    for (const [content, expected] of rows) assert.equal(text(fill(dir, content)), expected);
  }));

Deno.test("a key that lies where two pieces meet is filled in", () =>
  withDirectory((dir) => {
    const line = `${"x".repeat(100)} ###ZARF_VAR_A###\n`;
    const content = line.repeat(30_000);
    assert.ok(content.length > 3 << 20);
    assert.equal(text(fill(dir, content)), content.replaceAll("###ZARF_VAR_A###", "value"));
    const oneLine = `${"y".repeat((1 << 20) - 5)}###ZARF_VAR_A###`;
    assert.ok(text(fill(dir, oneLine)).endsWith("yvalue"));
  }));

Deno.test("lines that are not UTF-8 are copied as they are", () =>
  withDirectory((dir) => {
    const latin = new Uint8Array([0xe9, 0x0a]);
    const line = new TextEncoder().encode("###ZARF_VAR_A###\n");
    const filled = fill(dir, new Uint8Array([...latin, ...line, ...latin]));
    assert.deepEqual(
      filled,
      new Uint8Array([...latin, ...new TextEncoder().encode("value\n"), ...latin]),
    );
    assert.throws(
      () => fill(dir, new Uint8Array([0xe9, ...line])),
      (error) => error instanceof DeployError && /not UTF-8/.test(error.message),
    );
  }));

Deno.test("a line without end is refused before it fills the memory", () =>
  withDirectory((dir) => {
    assert.throws(
      () => fill(dir, new Uint8Array(34 << 20).fill(0x61)),
      (error) => error instanceof DeployError && /longer than/.test(error.message),
    );
  }));
