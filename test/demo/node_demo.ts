import { renderBytes, renderDuration } from "../../src/std/mod.ts";
import { type RunningAgent, startLocalAgent } from "./agent.ts";
import type { DemoArguments } from "./arguments.ts";
import { binaryRow, diskRow, memoryRows, settledStoreUsage, storeUsage } from "./figures.ts";
import { EXAMPLE, nodeProgram } from "./program.ts";
import { listImages, type PulledImage, pullImage } from "./pull.ts";
import { pageText, renderTable } from "./render.ts";
import type { Screen } from "./screen.ts";
import { untilEnter } from "./stay.ts";
import { dropSlowly, followVerdict, readVerdictText } from "./verdict.ts";

/** What the demo says before it begins. */
const INTRODUCTION = `Holdfast on one node, without a cluster. In a temporary directory:
  1. the agent starts (nothing is installed, nothing is downloaded);
  2. a real Zarf package is dropped; the agent verifies every byte and takes it in;
  3. an image is pulled from the node registry, as a container runtime pulls it;
  4. the agent says what it knows: the verdict beside the file, and its status page.
It takes about ten seconds.`;

/** Shows what a node does by itself, and cleans up. @throws when anything does not work. */
export async function nodeDemo(
  { wait }: DemoArguments,
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  screen.say(INTRODUCTION);
  screen.say();
  const directory = await Deno.makeTempDir({ prefix: "holdfast-demo-" });
  try {
    const { result: program } = await screen.stage("Program", nodeProgram, ({ label }) => label);
    const started = await screen.stage("Agent", () => {
      return startLocalAgent({ program, directory, nodeName: "demo", signal });
    }, ({ statusUrl }) => `answers at ${statusUrl}`);
    await using agent = started.result;
    await show(agent, screen, signal);
    if (!wait) return;
    await untilEnter(screen, [
      `status page      ${agent.statusUrl}/`,
      `node registry    ${agent.registryUrl}/v2/_catalog`,
      `drop directory   ${agent.dropDir}`,
      `the agent's log  ${agent.logPath}`,
    ], signal);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function show(agent: RunningAgent, screen: Screen, signal: AbortSignal): Promise<void> {
  const before = await settledStoreUsage(agent, signal);
  const { result: file } = await screen.stage("Drop", (tell) => {
    return dropSlowly(EXAMPLE, agent.dropDir, tell, signal);
  }, (path) => path);
  const accepted = await screen.stage(
    "Verify, take in",
    (tell) => followVerdict(agent, file, { until: "Accepted", tell, signal }),
    () => "every checksum is right; the package is in the store",
  );
  const after = await storeUsage(agent);
  const pulled = await screen.stage("Pull", () => pullAll(agent), describePulls);

  screen.say("\nThe verdict, beside the file:");
  screen.say((await readVerdictText(file) ?? "").trimEnd());
  screen.say("\nPulled over HTTP from the node registry, every digest checked:");
  for (const image of pulled.result) {
    screen.say(`  ${image.reference}  ${image.digest}`);
  }
  screen.say("\nThe status page, as text:");
  const page = await fetch(`${agent.statusUrl}/`, { signal });
  if (!page.ok) throw new Error(`the status page answered ${page.status}`);
  screen.say(pageText(await page.text()).replaceAll(/^/gm, "  "));

  const { size } = await Deno.stat(EXAMPLE);
  screen.say("\nFigures:");
  const rows = [
    ["whole file to accepted", renderDuration(accepted.ms)] as const,
    diskRow(size, before, after),
    ...memoryRows([agent]),
    ...await binaryRow(),
  ];
  for (const line of renderTable(rows)) screen.say(line);
  screen.say();
}

async function pullAll(agent: RunningAgent): Promise<PulledImage[]> {
  const references = await listImages(agent.registryUrl);
  if (references.length === 0) throw new Error("the node registry has no image");
  const images: PulledImage[] = [];
  for (const reference of references) images.push(await pullImage(agent.registryUrl, reference));
  return images;
}

function describePulls(images: readonly PulledImage[]): string {
  const bytes = images.reduce((sum, image) => sum + image.bytes, 0);
  const blobs = images.reduce((sum, image) => sum + image.blobs, 0);
  return `${images.length} images, ${blobs} blobs, ${renderBytes(bytes)}, all digests right`;
}
