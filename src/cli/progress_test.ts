import assert from "node:assert/strict";
import { ProgressLine, renderProgress } from "./progress.ts";

const HALF = { bytes: 500_000_000, totalBytes: 1_000_000_000, elapsed: 2_000 };

Deno.test("the line says how much, how fast and how long still", () => {
  assert.equal(
    renderProgress(HALF, 120),
    `[${"#".repeat(12)}${"-".repeat(12)}]  50%  500 MB of 1.0 GB  250 MB/s  2.0 s left`,
  );
});

Deno.test("a speed is said only when there has been time to know it", () => {
  assert.doesNotMatch(renderProgress({ ...HALF, elapsed: 499 }, 120), /\/s|left/);
  assert.match(renderProgress({ ...HALF, elapsed: 500 }, 120), /1\.0 GB\/s {2}0\.5 s left$/);
  assert.doesNotMatch(renderProgress({ ...HALF, bytes: 0 }, 120), /\/s|left/);
});

Deno.test("whatever the numbers are, it is one line that fits", () => {
  for (const columns of [0, 1, 20, 32, 33, 40, 60, 80, 200]) {
    for (const bytes of [0, 1, 10 ** 9, 10 ** 15]) {
      for (const totalBytes of [0, 1, 10 ** 9]) {
        for (const elapsed of [0, 1_000, 10 ** 9]) {
          const line = renderProgress({ bytes, totalBytes, elapsed }, columns);
          assert(line.length < Math.max(columns, 1), `${line.length} of ${columns}`);
          assert.match(line, /^[^\n]*$/);
          assert.doesNotMatch(line, /NaN|Infinity/);
        }
      }
    }
  }
});

Deno.test("what does not fit is left out from the end", () => {
  const parts = [33, 52, 62, 74].map((columns) => renderProgress(HALF, columns).split("  ").length);
  // The percentage is two spaces away from its bar.
  assert.deepEqual(parts, [2, 3, 4, 5]);
});

/** A screen that keeps what is written, and a clock that is set by hand. */
function screen(columns: number | undefined) {
  const drawn: string[] = [];
  const clock = { now: 1_000 };
  const terminal = {
    out: () => assert.fail("progress is no output"),
    err: (text: string) => void drawn.push(text),
    columns: () => columns,
  };
  return { drawn, clock, line: new ProgressLine(terminal, 1_000, () => clock.now) };
}

Deno.test("the line is drawn over the one before, ten times a second at most", () => {
  const { drawn, clock, line } = screen(80);
  for (let bytes = 0; bytes < 1_000; bytes++) {
    line.update(bytes);
    clock.now += 1;
  }
  assert.equal(drawn.length, 10);
  for (const text of drawn) {
    assert(text.startsWith("\r\x1b[2K["), JSON.stringify(text));
    assert(!text.includes("\n"));
  }
  line.end();
  assert.equal(drawn.at(-1), "\r\x1b[2K");
});

Deno.test("after its end nothing is drawn any more, and the end is said once", () => {
  const { drawn, clock, line } = screen(80);
  line.update(1);
  line.end();
  const count = drawn.length;
  clock.now += 10_000;
  line.update(2);
  assert.equal(drawn.length, count);
});

Deno.test("a line that was never drawn is not taken away", () => {
  const { drawn, line } = screen(80);
  line.end();
  assert.deepEqual(drawn, []);
});

Deno.test("where there is no screen nothing is written", () => {
  const { drawn, line } = screen(undefined);
  line.update(500);
  line.end();
  assert.deepEqual(drawn, []);
  const plain = new ProgressLine({ out() {}, err: () => assert.fail() }, 10);
  plain.update(5);
  plain.end();
});
