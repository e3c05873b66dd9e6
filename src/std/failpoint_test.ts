import assert from "node:assert/strict";
import { failpoint, watchFailpoints } from "./failpoint.ts";

/** Passes the failpoints of `names` in a process of its own, saying each one that it survived. */
async function pass(names: readonly string[], armed?: string) {
  const module = JSON.stringify(import.meta.resolve("./failpoint.ts"));
  const script = `import { failpoint } from ${module};
    addEventListener("unload", () => console.log("unload"));
    for (const name of ${JSON.stringify(names)}) { failpoint(name); console.log(name); }`;
  const { stdout, code, signal } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
    env: armed === undefined ? {} : { HOLDFAST_FAILPOINT: armed },
    stderr: "inherit",
  }).output();
  return { code, signal, survived: new TextDecoder().decode(stdout).trim().split("\n") };
}

const PLACES = ["a.one", "a.two", "a", "a.one", "a.one"];

const cases: readonly [string, string | undefined, readonly string[], boolean][] = [
  ["nothing is armed", undefined, PLACES, false],
  ["it is armed with nothing", "", PLACES, false],
  ["the place is never passed", "a.three", PLACES, false],
  ["it is only the beginning of a name that is passed", "a.", PLACES, false],
  ["it is passed less often", "a.one:4", PLACES, false],
  ["it is passed for the first time", "a.two", ["a.one"], true],
  ["it is passed for the third time", "a.one:3", ["a.one", "a.two", "a", "a.one"], true],
];

for (const [when, armed, survived, killed] of cases) {
  Deno.test(`a process ${killed ? "is killed" : "goes on"} when ${when}`, async () => {
    const result = await pass(PLACES, armed);
    assert.equal(result.signal, killed ? "SIGKILL" : null);
    assert.deepEqual(result.survived, killed ? survived : [...survived, "unload"]);
  });
}

Deno.test("a watcher is told of each place, may throw there, and is told no more when it is taken away", () => {
  const passed: string[] = [];
  watchFailpoints((name) => {
    passed.push(name);
    if (name === "a.two") throw new Error("stopped");
  });
  try {
    failpoint("a.one");
    assert.throws(() => failpoint("a.two"), /stopped/);
  } finally {
    watchFailpoints(undefined);
  }
  failpoint("a.three");
  assert.deepEqual(passed, ["a.one", "a.two"]);
});
