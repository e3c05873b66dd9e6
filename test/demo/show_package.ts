import { renderBytes, renderDuration } from "../../src/std/mod.ts";
import { exampleAnswers } from "./answers.ts";
import type { RunningAgent } from "./agent.ts";
import {
  binaryRow,
  diskRow,
  type FigureRows,
  memoryRows,
  quietWrites,
  settledStoreUsage,
  storeUsage,
} from "./figures.ts";
import { diskUsage } from "./memory.ts";
import { EXAMPLE } from "./program.ts";
import { renderTable } from "./render.ts";
import type { Screen } from "./screen.ts";
import { dropSlowly, followVerdict, type LegTimes, readVerdictText } from "./verdict.ts";

/** What the way of a package is shown with. */
export interface Show {
  /** The package is dropped on the first one. */
  readonly agents: readonly RunningAgent[];
  /** Runs kubectl as administrator and gives what it printed. */
  readonly kubectl: (args: readonly string[]) => Promise<string>;
  /** Whether to take a quiet minute for counting API writes. */
  readonly figures: boolean;
  readonly screen: Screen;
  readonly signal: AbortSignal;
}

/**
 * Drops the example and shows what comes of it: progress, pods, verdict, the application's answer,
 * times and figures.
 *
 * @throws when the package does not become Ready or the application does not answer.
 */
export async function showPackage(show: Show): Promise<void> {
  const { agents, kubectl, screen, signal } = show;
  const [agent] = agents;
  if (agent === undefined) throw new Error("there is no agent to drop a package on");
  const before = await settledStoreUsage(agent, signal);
  const { result: file } = await screen.stage("Drop", (tell) => {
    return dropSlowly(EXAMPLE, agent.dropDir, tell, signal);
  }, () => `on ${agent.node}: ${EXAMPLE.replace(/^.*\//, "")}`);
  let stored = before;
  const ready = await screen.stage("Package", (tell) =>
    followVerdict(agent, file, {
      until: "Ready",
      tell,
      signal,
      onLeg: async (leg) => {
        if (leg === "prepare") stored = await storeUsage(agent);
      },
    }), () => "Ready");
  const answers = await screen.stage(
    "Application",
    () => exampleAnswers(kubectl, signal),
    (all) => `answers on ${all.length} of ${all.length} nodes`,
  );
  screen.say("\nThe pods:");
  screen.say((await kubectl(["get", "pods", "-A", "-o", "wide"])).trimEnd());
  screen.say("\nThe verdict, beside the file:");
  screen.say((await readVerdictText(file) ?? "").trimEnd());
  screen.say("\nThe application's own answer, fetched over HTTP:");
  for (const { url, text } of answers.result) screen.say(`  ${url}  ${text}`);
  screen.say("\nHow long each stage took:");
  for (const line of renderTable(timeRows(ready.ms, ready.result))) screen.say(line);
  const rows = await figureRows(show, before, stored);
  screen.say("\nFigures:");
  for (const line of renderTable(rows)) screen.say(line);
  screen.say();
}

function timeRows(total: number, { receive, prepare, deploy }: LegTimes): FigureRows {
  return [
    ["noticed, verified, taken in", renderDuration(receive)],
    ["cluster prepared (registry, webhook)", renderDuration(prepare)],
    ["deployed until every pod is ready", renderDuration(deploy)],
    ["whole file to Ready", renderDuration(total)],
  ];
}

async function figureRows(
  { agents, figures, screen, signal }: Show,
  before: number,
  stored: number,
): Promise<FigureRows> {
  const { size } = await Deno.stat(EXAMPLE);
  const rows: FigureRows = [...await binaryRow(), diskRow(size, before, stored)];
  for (const agent of agents) {
    const bytes = await diskUsage(`${agent.dataDir}/registry`);
    rows.push([`in-cluster registry's storage on ${agent.node}`, renderBytes(bytes)]);
  }
  if (figures) {
    const { result } = await screen.stage("Quiet minute", () => quietWrites(agents, signal));
    rows.push(["API writes in a quiet minute", String(result)]);
  }
  return [...rows, ...memoryRows(agents)];
}
