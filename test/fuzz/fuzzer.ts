import { systemClock } from "../../src/std/mod.ts";
import { type ChildReport, type ChildRequest, INPUT_LIMIT, inputOf, targetOf } from "./child.ts";

/** What is run of one target. */
export interface FuzzRequest {
  readonly target: string;
  readonly seed: string;
  /** How many inputs at most. @default no limit */
  readonly count?: number;
  /** For how long. @default no limit */
  readonly milliseconds?: number;
  /** How long one input may run before the process is ended. @default three times its limit */
  readonly patience?: number;
}

/** An input that shows a mistake. */
export interface Finding {
  readonly target: string;
  readonly seed: string;
  readonly index: number;
  readonly kind: "wrong" | "slow" | "large" | "hang" | "crash";
  readonly why: string;
  readonly input: Uint8Array;
}

/** What came of a target's inputs. */
export interface FuzzReport {
  readonly inputs: number;
  readonly milliseconds: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly finding?: Finding;
}

const SCRIPT = new URL("./child.ts", import.meta.url).pathname;
const CONFIG = new URL("../../deno.json", import.meta.url).pathname;
/** How often it is looked whether the child still gets on, in milliseconds. */
const LOOK = 500;
/** No child runs longer, so that what it has kept by then cannot grow for ever. */
const CHILD_INPUTS = 20_000;

/** Runs inputs of a target in child processes until one of them shows a mistake, or it is enough. */
export async function fuzz(request: FuzzRequest): Promise<FuzzReport> {
  const { target, seed, count = Infinity, milliseconds = Infinity } = request;
  const started = systemClock.monotonic();
  const outcomes: Record<string, number> = {};
  const report = (inputs: number, finding?: Finding): FuzzReport => ({
    inputs,
    milliseconds: systemClock.monotonic() - started,
    outcomes,
    ...(finding === undefined ? {} : { finding }),
  });
  let done = 0;
  for (;;) {
    const left = milliseconds - (systemClock.monotonic() - started);
    if (done >= count || left <= 0) return report(done);
    const child = await runChild(request, {
      target,
      seed,
      from: done,
      count: Math.min(count - done, CHILD_INPUTS),
      milliseconds: Math.min(left, 1e9),
    });
    if ("kind" in child) return report(done, child);
    done += child.inputs;
    for (const [outcome, times] of Object.entries(child.outcomes)) {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + times;
    }
    if (child.finding === undefined) continue;
    const finding = {
      ...child.finding,
      target,
      seed,
      input: inputOf(targetOf(target), seed, child.finding.index),
    };
    if (finding.kind !== "large" || await isLargeAlone(request, finding)) {
      return report(done, finding);
    }
  }
}

/** Whether the memory is this input's, not what the runtime had not yet given back. */
async function isLargeAlone(
  request: FuzzRequest,
  { target, seed, index }: Finding,
): Promise<boolean> {
  const alone = { target, seed, from: index, count: 1, milliseconds: 1e9 };
  const child = await runChild(request, alone);
  return "kind" in child || child.finding?.kind === "large";
}

async function runChild(
  { patience = 3 * INPUT_LIMIT }: FuzzRequest,
  request: Omit<ChildRequest, "progressFile">,
): Promise<ChildReport | Finding> {
  const progressFile = await Deno.makeTempFile({ prefix: "holdfast-fuzz-progress-" });
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "-A", "--quiet", "--no-check", "--v8-flags=--expose-gc"],
        ...[`--config=${CONFIG}`, SCRIPT],
        JSON.stringify({ ...request, progressFile }),
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const watch = watchChild(child, progressFile, patience);
    const { code, stdout, stderr } = await child.output();
    const index = Number(await Deno.readTextFile(progressFile)) || request.from;
    const hung = watch.end();
    if (code === 0 && !hung) return JSON.parse(new TextDecoder().decode(stdout));
    const { target, seed } = request;
    return {
      target,
      seed,
      index,
      kind: hung ? "hang" : "crash",
      why: hung
        ? `it ran for more than ${patience} ms`
        : `the process ended with ${code}: ${new TextDecoder().decode(stderr)}`,
      input: inputOf(targetOf(target), seed, index),
    };
  } finally {
    await Deno.remove(progressFile);
  }
}

/** Ends a child that is at the same input for too long. */
function watchChild(child: Deno.ChildProcess, progressFile: string, patience: number) {
  let last = "";
  let since = systemClock.monotonic();
  let hung = false;
  const timer = setInterval(() => {
    const now = Deno.readTextFileSync(progressFile);
    if (now !== last) {
      last = now;
      since = systemClock.monotonic();
    } else if (last !== "" && systemClock.monotonic() - since > patience) {
      hung = true;
      child.kill("SIGKILL");
      clearInterval(timer);
    }
  }, LOOK);
  return {
    end() {
      clearInterval(timer);
      return hung;
    },
  };
}
