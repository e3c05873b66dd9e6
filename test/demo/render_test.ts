import assert from "node:assert/strict";
import { renderPage } from "../../src/status/mod.ts";
import { pageText, renderLine, renderTable, type Stage } from "./render.ts";

const STAGE: Stage = { name: "Receive", state: "running", elapsed: 1_234, message: "is read" };

Deno.test("a stage without a fraction is name, time and message", () => {
  assert.equal(renderLine(STAGE, 80, false), "> Receive              1.2 s  is read");
  const done = { ...STAGE, state: "done", message: "" } as const;
  assert.equal(renderLine(done, 80, false), "+ Receive              1.2 s");
});

Deno.test("a stage with a fraction has a bar until it is done", () => {
  const half = { ...STAGE, fraction: 0.5 };
  assert.match(renderLine(half, 120, false), /1.2 s \[#{12}-{12}\] {2}50% {2}is read$/);
  assert.doesNotMatch(renderLine({ ...half, state: "done" }, 120, false), /#/);
});

Deno.test("a line never wraps, and a message never breaks it", () => {
  const long = { ...STAGE, fraction: 1, message: "many words\nand a second line ".repeat(20) };
  for (const columns of [40, 60, 80, 200]) {
    const line = renderLine(long, columns, false);
    assert.ok(line.length < columns, `${line.length} of ${columns}`);
    assert.doesNotMatch(line, /\n/);
    if (columns > 80) assert.match(line, /\.\.\.$/);
  }
});

Deno.test("colour is added only where it is wanted, and is always ended", () => {
  const coloured = renderLine({ ...STAGE, state: "failed" }, 80, true);
  assert.ok(coloured.startsWith("\x1b[31m!\x1b[0m"));
  const plain = ["\x1b[31m", "\x1b[1m", "\x1b[0m"].reduce((text, code) => {
    return text.replaceAll(code, "");
  }, coloured);
  assert.equal(plain, renderLine({ ...STAGE, state: "failed" }, 80, false));
});

Deno.test("a table lines its values up", () => {
  assert.deepEqual(renderTable([["a", "1"], ["long name", "2"]]), [
    "  a          1",
    "  long name  2",
  ]);
  assert.deepEqual(renderTable([]), []);
});

Deno.test("the real status page becomes readable text", () => {
  const html = renderPage({
    node: "n1",
    version: "9.9.9",
    parts: [{ name: "node registry", ok: false, message: 'it says "no" & <why>' }],
    packages: [],
  });
  assert.equal(
    pageText(html),
    [
      "Holdfast on n1",
      "Packages",
      "No package was dropped yet.",
      "This node",
      'node registry  not ok  it says "no" & <why>',
      "holdfast 9.9.9",
    ].join("\n"),
  );
});
