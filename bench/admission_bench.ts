import { obstacle } from "../test/cluster/mod.ts";
import { memoryOf } from "../test/demo/memory.ts";
import { HoldfastError } from "../src/std/mod.ts";
import { type AdmissionServers, startServers } from "./admission_servers.ts";
import { type Load, type LoadReport, runLoad } from "./admission_load.ts";
import type { Benchmark, Case, Figure, Preparation, Prepared, Side, Target } from "./types.ts";

/** What the API server waits for a webhook that says nothing about it, in milliseconds. */
const API_SERVER_PATIENCE = 10_000;
/** Zarf's agent asks the API server five times a second; ten questions it may have saved up. */
const ZARF_REFILL = 2_500;
const MIB = 2 ** 20;

/** Why admission cannot be compared here. */
export class AdmissionBenchError extends HoldfastError<"NoCluster"> {}

/** The webhook against Zarf's agent. */
export const benchmark: Benchmark = {
  name: "admission",
  what:
    "Reviews of one new pod with three images, all sent at the same moment by Go's client over TLS" +
    " and HTTP/2 on the connection that the API server would keep; the slowest but one of a hundred" +
    " (p99). A review that is not answered after the API server's 10 s counts as 10 s. Ours is the" +
    " whole agent, after a package was deployed; Zarf's is the real zarf internal agent.",
  peers: ["zarf"],
  unit: "ms",
  higherIsBetter: false,
  prepare,
};

/** One kind of load. */
interface Measurement {
  readonly name: string;
  readonly load: Load;
  readonly targets: readonly Target[];
  readonly quick: boolean;
}

const DEFAULTS = { count: 100, rounds: 1, pause: 0, timeout: API_SERVER_PATIENCE };
const KEPT = { ...DEFAULTS, newConnections: false, looksUp: true };

const MEASUREMENTS: readonly Measurement[] = [
  {
    name: "1 at once",
    // Slow enough for Zarf's agent never to wait for its own limit.
    load: { ...KEPT, count: 1, rounds: 10, pause: 450 },
    targets: [],
    quick: true,
  },
  // design.md §7.
  { name: "100 at once", load: KEPT, targets: [{ peer: "zarf", ratio: 1 }], quick: true },
  { name: "500 at once", load: { ...KEPT, count: 500 }, targets: [], quick: false },
  {
    name: "100 at once, each on a new connection",
    load: { ...KEPT, newConnections: true },
    targets: [],
    quick: false,
  },
  {
    name: "100 at once, of a pod for which zarf asks nobody",
    load: { ...KEPT, looksUp: false },
    targets: [],
    quick: true,
  },
  {
    name: "500 at once, of a pod for which zarf asks nobody",
    load: { ...KEPT, count: 500, looksUp: false },
    targets: [],
    quick: false,
  },
];

async function prepare(preparation: Preparation): Promise<Prepared> {
  const reason = obstacle();
  if (reason !== undefined) {
    throw new AdmissionBenchError({ reason: "NoCluster", message: reason, disposition: "wait" });
  }
  await using stack = new AsyncDisposableStack();
  const servers = stack.use(await startServers(preparation));
  const chosen = MEASUREMENTS.filter(({ quick }) => quick || !preparation.quick);
  const reports: Reports = new Map();
  const kept = stack.move();
  return {
    cases: chosen.map((one) => caseOf(one, servers, reports)),
    figures: () => [...timesOf(reports), ...memoryFigures(servers)],
    missing: MEASUREMENTS.filter((one) => !chosen.includes(one)).map(({ name }) =>
      `${name} (--quick)`
    ),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** What was measured, by case and side: `100 at once, zarf`. The warm-up is in it, as first. */
type Reports = Map<string, LoadReport[]>;

function caseOf(
  { name, load, targets }: Measurement,
  servers: AdmissionServers,
  reports: Reports,
): Case {
  const side = (sideName: "holdfast" | "zarf"): Side => ({
    name: sideName,
    run: async (signal) => {
      const refill = sideName === "zarf" && load.looksUp ? ZARF_REFILL : 0;
      await new Promise((resolve) => setTimeout(resolve, refill));
      signal.throwIfAborted();
      const report = await runLoad(servers.node, servers[sideName], load);
      const key = `${name}, ${sideName}`;
      reports.set(key, [...reports.get(key) ?? [], report]);
      return report.p99;
    },
  });
  return { name, sides: [side("holdfast"), side("zarf")], targets };
}

/** What the cases do not say: the middle, and what was not answered at all. */
function timesOf(reports: Reports): Figure[] {
  return [...reports].map(([name, [, ...rounds]]) => {
    const middle = (values: readonly number[]) =>
      values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
    const p50 = middle(rounds.map((one) => one.p50)).toFixed(1);
    const p99 = middle(rounds.map((one) => one.p99)).toFixed(1);
    const unanswered = rounds.reduce((sum, one) => sum + one.unanswered, 0);
    const all = rounds.reduce((sum, one) => sum + one.count, 0);
    const value = `p50 ${p50} ms, p99 ${p99} ms, not answered ${unanswered} of ${all}`;
    return name === "100 at once, holdfast"
      ? { name, value, target: "p99 <= 25 ms" }
      : { name, value };
  });
}

function memoryFigures({ holdfast, zarf }: AdmissionServers): Figure[] {
  return Object.entries({ holdfast, zarf }).map(([name, { pid }]) => {
    const { residentBytes, peakBytes } = memoryOf(pid);
    const [now, peak] = [residentBytes, peakBytes].map((bytes) => Math.round(bytes / MIB));
    return { name: `resident memory of ${name}`, value: `${now} MiB, at its peak ${peak} MiB` };
  });
}
