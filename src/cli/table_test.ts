import assert from "node:assert/strict";
import { pairs, table } from "./table.ts";

Deno.test("columns are as wide as their widest cell and two spaces apart", () => {
  assert.equal(table(["A", "LONG"], [["wide", "x"], ["y", "z"]]), "A     LONG\nwide  x\ny     z\n");
});

Deno.test("no line ends in spaces, and a cell that is empty keeps its column", () => {
  assert.equal(table(["A", "B", "C"], [["1", "", "3"], ["1", "", ""]]), "A  B  C\n1     3\n1\n");
});

Deno.test("a table without rows is its head", () => {
  assert.equal(table(["A", "B"], []), "A  B\n");
});

Deno.test("what a package says of itself moves no cursor and begins no line", () => {
  const text = table(["A\x1b[2J", "B"], [["one\ntwo", "\x9b31mred"], ["x\r", "\x07"]]);
  assert.equal(text, "A [2J    B\none two   31mred\nx\n");
});

Deno.test("names and values are two columns, and a name without a value is left out", () => {
  assert.equal(pairs([["name", "x"], ["nothing", ""], ["b", "y z"]]), "name  x\nb     y z\n");
  assert.equal(pairs([]), "");
});

Deno.test("a table may have more rows than a call can have arguments", () => {
  const rows = Array.from({ length: 200_000 }, (_, index) => [String(index), "x"]);
  assert.equal(table(["A", "B"], rows).split("\n")[200_000], "199999  x");
});
