import assert from "node:assert/strict";
import type { CutReport, CycleReport } from "./cycle.ts";
import type { FileSystem } from "./disk.ts";
import type { Finding } from "./findings.ts";
import { cycleLines, summaryLine, Tally } from "./series.ts";

function report(
  fileSystem: FileSystem,
  during: readonly CutReport["during"][],
  findings: readonly Finding[] = [],
): CycleReport {
  const moment = { after: "reading", share: 0, delay: 120 } as const;
  const cuts = during.map((during, at) => ({ moment, during, acknowledged: at + 1 }));
  const plan = {
    subject: "agent",
    fileSystem,
    dropsOnDisk: true,
    seed: false,
    rounds: [],
  } as const;
  return { plan, cuts, findings, seconds: 4 };
}

const LOST: Finding = { rule: "BlobLost", what: "after cut 1: sha256:0 of a.tar" };

Deno.test("a series adds up what its cycles report", () => {
  const tally = new Tally();
  tally.add(0, report("ext4", ["ingest", "start"]));
  tally.add(1, report("xfs", ["ingest"], [LOST]));
  tally.add(2, report("ext4", ["idle"]));
  assert.deepEqual(tally.cutsOf, { ext4: 3, xfs: 1 });
  assert.deepEqual(tally.cutsDuring, { start: 1, ingest: 2, idle: 1 });
  assert.deepEqual(tally.findings, ["cycle 1: BlobLost: after cut 1: sha256:0 of a.tar"]);
  assert.equal(
    summaryLine(tally),
    "4 cuts, 1 findings; 50 % of the cuts in an ingest, 5 acknowledged packages looked for, " +
      "3 cycles of 4.0 s",
  );
  assert.match(summaryLine(new Tally()), /^0 cuts, 0 findings; 0 %/);
});

Deno.test("a cycle is told in a line, and each finding in one more", () => {
  assert.deepEqual(cycleLines(7, report("xfs", ["ingest", "idle"], [LOST])), [
    "cycle 7 xfs, agent, drops on the disk: cut reading+120 ms in ingest (1 acknowledged); " +
    "reading+120 ms in idle (2 acknowledged): 1 findings, 4.0 s",
    "  BlobLost: after cut 1: sha256:0 of a.tar",
  ]);
});
