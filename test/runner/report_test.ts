import assert from "node:assert/strict";
import { Report } from "./report.ts";

function report(use: (report: Report) => void): string[] {
  const lines: string[] = [];
  use(new Report((line) => lines.push(...line.split("\n"))));
  return lines;
}

Deno.test("every test is a line with its duration, the closing line counts them", () => {
  assert.deepEqual(
    report((it) => {
      it.test("src/a", { name: "one", outcome: "passed", messages: [] }, 0.0123);
      it.test("src/a", { name: "two", outcome: "failed", messages: ["1 !== 2\n  at x"] }, 12.34);
      it.test("src/a", { name: "three", outcome: "skipped", messages: [] }, 0);
      it.close();
    }),
    [
      "ok   src/a: one (12 ms)",
      "FAIL src/a: two (12.3 s)",
      "       1 !== 2",
      "         at x",
      "skip src/a: three (0 ms)",
      "1 passed, 1 failed, 1 skipped",
    ],
  );
});

Deno.test("without skipped tests the closing line does not name them", () => {
  assert.deepEqual(report((it) => it.close()), ["0 passed, 0 failed"]);
});

Deno.test("files that cannot run here are counted, with the reason", () => {
  assert.deepEqual(
    report((it) => {
      it.skip("end-to-end tests", 7, "the test cluster needs root");
      it.close();
    }),
    ["skip end-to-end tests: the test cluster needs root", "0 passed, 0 failed, 7 skipped"],
  );
});

Deno.test("the ends of the newest logs are shown, not those of the test process itself", () => {
  const folder = Deno.makeTempDirSync();
  try {
    Deno.mkdirSync(`${folder}/node1`);
    const long = Array.from({ length: 2_000 }, (_, at) => `line ${at}`).join("\n");
    Deno.writeTextFileSync(`${folder}/node1/kubelet.log`, `${long}\n${"x".repeat(1_000)}\n`);
    Deno.writeTextFileSync(`${folder}/empty.log`, "\n");
    Deno.writeTextFileSync(`${folder}/tap.log`, "ok 1 - x\n");
    const lines = report((it) => it.logs(folder)).map((line) => line.trim());
    assert.equal(lines[0], `--- ${folder}/node1/kubelet.log`);
    assert.equal(lines.length, 16);
    assert.equal(lines[14], "line 1999");
    assert.equal(lines[15], `${"x".repeat(400)}…`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
