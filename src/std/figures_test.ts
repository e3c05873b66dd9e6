import assert from "node:assert/strict";
import { renderBar, renderBytes, renderDuration } from "./figures.ts";

for (
  const [fraction, bar] of [
    [0, `[${"-".repeat(24)}]   0%`],
    [0.999, `[${"#".repeat(23)}-]  99%`],
    [1, `[${"#".repeat(24)}] 100%`],
    [7, `[${"#".repeat(24)}] 100%`],
    [-1, `[${"-".repeat(24)}]   0%`],
  ] as const
) {
  Deno.test(`${fraction} is drawn as ${bar}`, () => assert.equal(renderBar(fraction), bar));
}

for (
  const [ms, text] of [
    [0, "0.0 s"],
    [449, "0.4 s"],
    [59_949, "59.9 s"],
    [59_960, "1 min 00 s"],
    [125_000, "2 min 05 s"],
    [3_599_600, "60 min 00 s"],
  ] as const
) {
  Deno.test(`${ms} ms are ${text}`, () => assert.equal(renderDuration(ms), text));
}

for (
  const [bytes, text] of [
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.0 kB"],
    [2_410_187, "2.4 MB"],
    [99_960_000, "100 MB"],
    [999_600_000, "1.0 GB"],
  ] as const
) {
  Deno.test(`${bytes} bytes are ${text}`, () => assert.equal(renderBytes(bytes), text));
}
