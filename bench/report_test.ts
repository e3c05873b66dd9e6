import assert from "node:assert/strict";
import type { Result } from "./harness.ts";
import { reportLines, times } from "./report.ts";
import { compare, summarize } from "./stats.ts";
import { renderSvg } from "./svg.ts";

function sample(higherIsBetter: boolean, ours: number[], theirs: number[]): Result {
  const side = (name: string, values: number[]) => ({ name, values, summary: summarize(values) });
  const targets = [{ peer: "nginx", ratio: 0.8 }];
  return {
    name: "registry",
    what: "pulls of <blobs>",
    unit: "GB/s",
    higherIsBetter,
    date: "2026-01-02T03:04:05.000Z",
    machine: "2 processors",
    cases: [{
      name: "four clients",
      sides: [side("holdfast", ours), side("nginx", theirs)],
      ratios: [compare("nginx", ours, theirs, higherIsBetter, targets)],
    }],
    figures: [{ name: "peak memory", value: "120 MiB", target: "<= 200 MiB" }],
    missing: ["registry:3: Go is not installed"],
  };
}

Deno.test("a report names medians, spread, ratio, target, figures and what was left out", () => {
  assert.deepEqual(reportLines(sample(true, [1, 2, 4], [2, 2, 2])), [
    "registry: pulls of <blobs>",
    "(GB/s, higher is better; 2026-01-02T03:04:05.000Z, 2 processors)",
    "",
    "  four clients",
    "    holdfast  median 2.00 GB/s  (1.00 to 4.00, 3 runs)",
    "    nginx     median 2.00 GB/s  (2.00 to 2.00, 3 runs)",
    "    1.00 x of nginx (rounds: 0.50 x to 2.00 x); target >= 0.8 x: met",
    "",
    "  peak memory  120 MiB  (target <= 200 MiB)",
    "left out: registry:3: Go is not installed",
  ]);
});

Deno.test("a missed target is said so, also where lower is better", () => {
  assert.match(reportLines(sample(true, [1], [2])).join("\n"), /target >= 0.8 x: missed/);
  assert.match(reportLines(sample(false, [1], [1])).join("\n"), /target <= 0.8 x: missed/);
  assert.match(reportLines(sample(false, [1], [2])).join("\n"), /target <= 0.8 x: met/);
});

Deno.test("ratios have two digits after the point", () => {
  assert.equal(times(0.999), "1.00 x");
  assert.equal(times(12.3), "12.30 x");
});

function attributes(svg: string, tag: string, name: string): number[] {
  return [...svg.matchAll(new RegExp(`<${tag} [^>]*\\b${name}="([^"]*)"`, "g"))]
    .map((match) => Number(match[1]));
}

Deno.test("bars are as long as the medians and lines span the values, on one scale", () => {
  const svg = renderSvg(sample(true, [1, 2, 4], [3, 3, 3]));
  const [ours = 0, theirs = 0] = attributes(svg, "rect", "width");
  assert.ok(Math.abs(ours / theirs - 2 / 3) < 0.01, `${ours} of ${theirs}`);
  const [from = 0] = attributes(svg, "line", "x1");
  const [to = 0] = attributes(svg, "line", "x2");
  const [start = 0] = attributes(svg, "rect", "x");
  assert.ok(Math.abs((from - start) / (to - start) - 1 / 4) < 0.01);
  assert.ok(to < 720, "inside the drawing");
});

Deno.test("the drawing is well-formed: names are escaped and every tag is closed", () => {
  const result = { ...sample(true, [1], [1]), machine: `a<b>&"c"` };
  const svg = renderSvg(result);
  assert.match(svg, /a&#60;b&#62;&#38;&#34;c&#34;/);
  const stack: string[] = [];
  for (const [, close, tag = "", open] of svg.matchAll(/<(\/?)(\w+)[^>]*?(\/?)>/g)) {
    if (close === "/") assert.equal(stack.pop(), tag);
    else if (open !== "/") stack.push(tag);
  }
  assert.deepEqual(stack, []);
});

Deno.test("our side is marked, and the chart says which way is better", () => {
  const svg = renderSvg(sample(false, [1], [2]));
  assert.equal(svg.match(/class="ours"/g)?.length, 1);
  assert.equal(svg.match(/class="peer"/g)?.length, 1);
  assert.match(svg, /shorter is better/);
  assert.match(svg, /ours 0.50 x/);
});
