/**
 * `deno task fuzz`: gives readers of packages what strangers could have written, until one of them
 * does what it must not, or the time is over.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { printLine } from "../../extension/build/task.ts";
import { peakResidentBytes, targetOf } from "./child.ts";
import { type Finding, fuzz } from "./fuzzer.ts";
import { TARGETS } from "./targets.ts";

const USAGE = `usage: deno task fuzz [--minutes N] [--seed TEXT] [--target NAME…]
       deno task fuzz --replay FILE

  --minutes N    how long altogether; default 5
  --seed TEXT    what the inputs follow from; default a new one
  --target NAME  ${TARGETS.map(({ name }) => name).join(", ")}; default all
  --replay FILE  runs an input that was found once more`;

/** Runs it; the exit code is 1 if anything was found. */
async function main(args: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "5" },
      seed: { type: "string", default: crypto.randomUUID().slice(0, 8) },
      target: { type: "string", multiple: true, default: TARGETS.map(({ name }) => name) },
      replay: { type: "string" },
    },
  });
  if (values.replay !== undefined) return await replay(values.replay);
  const milliseconds = Number(values.minutes) * 60_000 / values.target.length;
  if (!(milliseconds > 0)) throw new TypeError("--minutes must be a number above 0");
  let found = 0;
  for (const target of values.target) {
    targetOf(target);
    const { seed } = values;
    const { inputs, milliseconds: took, outcomes, finding } = await fuzz({
      target,
      seed,
      milliseconds,
    });
    const rate = Math.round(inputs / took * 1000);
    printLine(
      `${target}: ${inputs} inputs, ${rate} each second, seed ${seed}: ${JSON.stringify(outcomes)}`,
    );
    if (finding === undefined) continue;
    found++;
    await save(finding);
  }
  return found > 0 ? 1 : 0;
}

async function save({ target, seed, index, kind, why, input }: Finding): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "holdfast-fuzz-found-" });
  const file = `${directory}/${target}.${seed}.${index}`;
  await Deno.writeFile(file, input);
  printLine(`FOUND (${kind}) by ${target}, seed ${seed}, input ${index}: ${why}`);
  printLine(`again: deno task fuzz --replay ${file}`);
}

/** The target is the first part of the file's name. */
async function replay(file: string): Promise<number> {
  const [target = ""] = file.slice(file.lastIndexOf("/") + 1).split(".");
  const input = await Deno.readFile(file);
  const started = performance.now();
  const outcome = await targetOf(target).run(input);
  const took = Math.round(performance.now() - started);
  printLine(`${outcome} after ${took} ms, ${peakResidentBytes()} bytes resident at most`);
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    printLine(`${error.message}\n${USAGE}`);
    Deno.exit(2);
  }
}
