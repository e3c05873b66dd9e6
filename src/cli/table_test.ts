import assert from "node:assert/strict";
import { table } from "./table.ts";

Deno.test("columns are as wide as their widest cell and two spaces apart", () => {
  assert.equal(table(["A", "LONG"], [["wide", "x"], ["y", "z"]]), "A     LONG\nwide  x\ny     z\n");
});

Deno.test("no line ends in spaces, and a cell that is empty keeps its column", () => {
  assert.equal(table(["A", "B", "C"], [["1", "", "3"], ["1", "", ""]]), "A  B  C\n1     3\n1\n");
});

Deno.test("a table without rows is its head", () => {
  assert.equal(table(["A", "B"], []), "A  B\n");
});
