import { type CutReport, type CycleReport, runCycle, type World } from "./cycle.ts";
import type { FileSystem } from "./disk.ts";
import { planCycle } from "./plan.ts";

/** What a series is made of. */
export interface SeriesOptions {
  readonly world: World;
  readonly seed: number;
  /** At least so many cuts, on each file system its part of them. */
  readonly cuts: number;
  readonly fileSystems: readonly FileSystem[];
  /** Number of the first cycle: a series that begins there plans as one that came there. @default 0 */
  readonly from?: number;
  /** Called after each cycle. */
  readonly onCycle?: (index: number, report: CycleReport) => void;
  /** Ends the series early. */
  readonly enough?: (report: CycleReport) => boolean;
}

/** What came of a series. */
export interface Summary {
  readonly cycles: number;
  readonly cuts: number;
  readonly cutsDuring: Readonly<Record<CutReport["during"], number>>;
  readonly cutsOf: Readonly<Partial<Record<FileSystem, number>>>;
  /** How many acknowledged packages were looked for, once for each cut after they were. */
  readonly acknowledged: number;
  readonly findings: readonly string[];
  readonly seconds: number;
}

/** Runs cycles, on each file system in turn, until there were enough cuts on each. */
export async function runSeries(options: SeriesOptions): Promise<Summary> {
  const { world, seed, cuts, fileSystems, from = 0, onCycle, enough } = options;
  const tally = new Tally();
  const wanted = Math.ceil(cuts / fileSystems.length);
  for (let index = from;; index++) {
    const left = fileSystems.filter((one) => (tally.cutsOf[one] ?? 0) < wanted);
    const fileSystem = fileSystems[index % fileSystems.length];
    if (left.length === 0 || fileSystem === undefined) return tally;
    if (!left.includes(fileSystem)) continue;
    const report = await runCycle(planCycle(seed, index, fileSystem, world.pool), world);
    tally.add(index, report);
    onCycle?.(index, report);
    if (enough?.(report)) return tally;
  }
}

/** Adds cycles up. */
export class Tally implements Summary {
  cycles = 0;
  cuts = 0;
  acknowledged = 0;
  seconds = 0;
  readonly cutsDuring = { start: 0, ingest: 0, idle: 0 };
  readonly cutsOf: Partial<Record<FileSystem, number>> = {};
  readonly findings: string[] = [];

  /** Takes what came of cycle number `index`. */
  add(index: number, { plan, cuts, findings, seconds }: CycleReport): void {
    this.cycles++;
    this.cuts += cuts.length;
    this.seconds += seconds;
    this.cutsOf[plan.fileSystem] = (this.cutsOf[plan.fileSystem] ?? 0) + cuts.length;
    for (const cut of cuts) {
      this.cutsDuring[cut.during]++;
      this.acknowledged += cut.acknowledged;
    }
    for (const { rule, what } of findings) this.findings.push(`cycle ${index}: ${rule}: ${what}`);
  }
}

/** One line about a cycle, and one more for each finding. */
export function cycleLines(index: number, report: CycleReport): string[] {
  const { plan, cuts, findings, seconds } = report;
  const what = [
    plan.subject,
    ...plan.dropsOnDisk ? ["drops on the disk"] : [],
    ...plan.seed ? ["seed"] : [],
  ];
  const each = cuts.map(({ moment, during, acknowledged }) =>
    `${moment.after}+${moment.delay} ms in ${during} (${acknowledged} acknowledged)`
  );
  const line = `cycle ${index} ${plan.fileSystem}, ${what.join(", ")}: cut ${each.join("; ")}: ` +
    `${findings.length} findings, ${seconds.toFixed(1)} s`;
  return [line, ...findings.map((one) => `  ${one.rule}: ${one.what}`)];
}

/** The closing line. */
export function summaryLine(summary: Summary): string {
  const { cycles, cuts, cutsDuring, acknowledged, findings, seconds } = summary;
  const share = cuts === 0 ? 0 : Math.round(100 * cutsDuring.ingest / cuts);
  const average = cycles === 0 ? 0 : seconds / cycles;
  return `${cuts} cuts, ${findings.length} findings; ${share} % of the cuts in an ingest, ` +
    `${acknowledged} acknowledged packages looked for, ${cycles} cycles of ${average.toFixed(1)} s`;
}
