import assert from "node:assert/strict";
import { despitePauses } from "../fakes/testing.ts";
import type { PackagePhase } from "../../src/status/mod.ts";
import type { RunningAgent } from "./agent.ts";
import {
  type DemoVerdict,
  describeVerdict,
  dropSlowly,
  followVerdict,
  type Leg,
  legOf,
  readVerdict,
} from "./verdict.ts";

function verdict(phase: PackagePhase, reason = "", bytes = 0): DemoVerdict {
  const progress = { bytes, totalBytes: 200 };
  return { kind: "PackageStatus", phase, reason, message: "text", progress };
}

for (
  const [given, leg] of [
    [undefined, "receive"],
    [verdict("Receiving", "Reading"), "receive"],
    [verdict("Accepted", "Unsigned"), "prepare"],
    [verdict("Accepted", "PreparingCluster"), "prepare"],
    [verdict("Deploying", "PreparingCluster"), "prepare"],
    [verdict("Deploying", "Deploying"), "deploy"],
    [verdict("Ready"), "over"],
    [verdict("Failed"), "over"],
    [verdict("Rejected"), "over"],
    [verdict("RolledBack"), "over"],
    [verdict("Superseded"), "over"],
  ] as const
) {
  Deno.test(`${given?.phase ?? "no verdict"} ${given?.reason ?? ""} is on the leg ${leg}`, () => {
    assert.equal(legOf(given), leg);
  });
}

Deno.test("only bytes that are being read make a bar", () => {
  assert.deepEqual(describeVerdict(verdict("Receiving", "Reading", 50)), {
    message: "Receiving: text",
    fraction: 0.25,
  });
  assert.deepEqual(describeVerdict(verdict("Receiving")), { message: "Receiving: text" });
  assert.deepEqual(describeVerdict(verdict("Deploying", "", 200)), { message: "Deploying: text" });
});

const signal = new AbortController().signal;

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function fakeAgent(directory: string, ended: Promise<string>): RunningAgent {
  Deno.writeTextFileSync(`${directory}/agent.log`, "its last words\n");
  return {
    node: "n",
    pid: 1,
    statusUrl: "",
    registryUrl: "",
    dropDir: directory,
    dataDir: directory,
    logPath: `${directory}/agent.log`,
    ended,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

const forEver = new Promise<string>(() => {});
/** Like the agent, never half of it. */
async function write(file: string, value: DemoVerdict): Promise<void> {
  await Deno.writeTextFile(`${file}.new`, JSON.stringify(value));
  await Deno.rename(`${file}.new`, `${file}.status.json`);
}

Deno.test("a package is followed over its legs until it is Ready", () =>
  despitePauses(() =>
    withDirectory(async (directory) => {
      const file = `${directory}/p.tar.zst`;
      const legs: Leg[] = [];
      const following = followVerdict(fakeAgent(directory, forEver), file, {
        until: "Ready",
        tell() {},
        signal,
        onLeg: (leg) => {
          legs.push(leg);
          return Promise.resolve();
        },
      });
      for (const phase of ["Receiving", "Accepted", "Deploying", "Ready"] as const) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        await write(file, verdict(phase));
      }
      const times = await following;
      assert.deepEqual(legs, ["prepare", "deploy", "over"]);
      assert.ok(times.receive >= 250 && times.prepare >= 100 && times.deploy >= 100);
    })
  ));

Deno.test("a package that is refused ends the wait with the verdict's words", () =>
  withDirectory(async (directory) => {
    const file = `${directory}/p.tar.zst`;
    await write(file, verdict("Rejected", "EmptyFile"));
    const following = followVerdict(fakeAgent(directory, forEver), file, {
      until: "Accepted",
      tell() {},
      signal,
    });
    await assert.rejects(following, /ended as Rejected \(EmptyFile\): text/);
  }));

Deno.test("an agent that ends is told with the end of its log", () =>
  withDirectory(async (directory) => {
    const ended = Promise.resolve("SIGKILL");
    const following = followVerdict(fakeAgent(directory, ended), `${directory}/p.tar.zst`, {
      until: "Accepted",
      tell() {},
      signal,
    });
    await assert.rejects(following, /SIGKILL[^]*its last words/);
  }));

Deno.test("a file of another kind is no verdict", () =>
  withDirectory(async (directory) => {
    await Deno.writeTextFile(`${directory}/p.status.json`, `{"kind":"Pod"}`);
    await assert.rejects(readVerdict(`${directory}/p`));
    assert.equal(await readVerdict(`${directory}/absent`), undefined);
  }));

Deno.test("a slow copy grows, ends whole, and can be interrupted", () =>
  withDirectory(async (directory) => {
    const bytes = crypto.getRandomValues(new Uint8Array(50_001));
    await Deno.mkdir(`${directory}/drop`);
    await Deno.writeFile(`${directory}/p.tar`, bytes);
    const sizes: number[] = [];
    const tell = () => void sizes.push(Deno.statSync(`${directory}/drop/p.tar`).size);
    const target = await dropSlowly(`${directory}/p.tar`, `${directory}/drop`, tell, signal);
    assert.deepEqual(await Deno.readFile(target), bytes);
    assert.ok(sizes.length > 5 && (sizes[0] ?? 0) < bytes.length);
    const stopped = AbortSignal.abort(new Error("interrupted"));
    const copy = dropSlowly(`${directory}/p.tar`, `${directory}/drop`, tell, stopped);
    await assert.rejects(copy, /interrupted/);
  }));
