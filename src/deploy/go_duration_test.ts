import assert from "node:assert/strict";
import { parseGoDuration } from "./go_duration.ts";

Deno.test("durations are read as Go reads them", () => {
  const rows: [text: string, milliseconds: number | undefined][] = [
    ["15m0s", 900_000],
    ["15m", 900_000],
    ["1h30m", 5_400_000],
    ["1.5h", 5_400_000],
    [".5s", 500],
    ["1.s", 1_000],
    ["100ms", 100],
    ["1000us", 1],
    ["1000µs", 1],
    ["900000000000", 900_000],
    ["0", 0],
    ["", undefined],
    ["1500000", 1.5],
    ["m", undefined],
    ["15 m", undefined],
    ["15m ", undefined],
    ["-1s", undefined],
    ["1d", undefined],
    ["1s2", undefined],
  ];
  for (const [text, milliseconds] of rows) assert.equal(parseGoDuration(text), milliseconds, text);
});
