import assert from "node:assert/strict";
import { despitePauses } from "../fakes/testing.ts";
import { runSuite } from "./suite.ts";
import type { TestResult } from "./tap.ts";

const PASS = 'Deno.test("fine", () => {});\n';

interface Outcome {
  readonly results: readonly TestResult[];
  readonly logs: (name: string) => string;
}

/** Runs files of these contents as one suite, by the real `deno test`. */
async function run(
  contents: readonly string[],
  see: (outcome: Outcome) => void,
  options: { timeout?: number; filter?: string; signal?: AbortSignal } = {},
): Promise<void> {
  const cwd = await Deno.makeTempDir();
  const { timeout = 60_000, ...rest } = options;
  const results: TestResult[] = [];
  try {
    const files = contents.map((_, at) => `f${at}_test.ts`);
    for (const [at, text] of contents.entries()) {
      await Deno.writeTextFile(`${cwd}/${files[at]}`, text);
    }
    await runSuite({ name: "s", files, timeout }, {
      cwd,
      logs: `${cwd}/logs`,
      onTest: (result) => results.push(result),
      ...rest,
    });
    see({ results, logs: (name) => Deno.readTextFileSync(`${cwd}/logs/${name}`) });
  } finally {
    await Deno.remove(cwd, { recursive: true });
  }
}

const summary = (results: readonly TestResult[]) =>
  results.map(({ name, outcome }) => `${outcome} ${name}`).sort();

Deno.test("tests are reported one by one, over several files", () =>
  run([PASS, 'Deno.test("bad", () => { throw new Error("boo"); });\n'], ({ results, logs }) => {
    assert.deepEqual(summary(results), ["failed bad", "passed fine"]);
    const bad = results.find(({ name }) => name === "bad");
    assert.match(bad?.messages.join("\n") ?? "", /Error: boo/);
    assert.match(logs("tap.log"), /not ok \d - bad/);
  }));

Deno.test("tests find the folder for their logs in the environment", () =>
  run([
    'Deno.test("logs", () => Deno.writeTextFileSync(Deno.env.get("HOLDFAST_TEST_LOGS") + "/x", "y"));\n',
  ], ({ results, logs }) => {
    assert.deepEqual(summary(results), ["passed logs"]);
    assert.equal(logs("x"), "y");
  }));

Deno.test("a filter leaves out other tests, and nothing that matches is no failure", async () => {
  const two = PASS + 'Deno.test("other", () => {});\n';
  await run([two], ({ results }) => assert.deepEqual(summary(results), ["passed other"]), {
    filter: "oth",
  });
  await run([two], ({ results }) => assert.deepEqual(results, []), { filter: "none" });
});

const broken: { name: string; text: string; want: RegExp; words?: RegExp }[] = [
  {
    name: "a process that is killed",
    text: PASS + 'Deno.test("dies", () => Deno.kill(Deno.pid, "SIGKILL"));\n',
    want: /killed by SIGKILL/,
  },
  {
    name: "a file that throws while it loads",
    text: 'throw new Error("at load");\n',
    want: /ended with 1/,
    words: /at load/,
  },
  {
    name: "a file that imports what is not there",
    text: 'import "./gone.ts";\n' + PASS,
    want: /ended with 1/,
    words: /gone\.ts/,
  },
  {
    name: "a process that ends by itself with success",
    text: PASS + "Deno.exit(0);\n",
    want: /before all of its tests/,
  },
];

for (const { name, text, want, words } of broken) {
  Deno.test(`${name} is one failed test`, () =>
    run([text], ({ results }) => {
      const failed = results.filter(({ outcome }) => outcome === "failed");
      assert.equal(failed.length, 1, JSON.stringify(results));
      assert.match(failed[0]?.name ?? "", want);
      if (words !== undefined) assert.match(failed[0]?.messages.join() ?? "", words);
    }));
}

const HANGS = PASS +
  'Deno.test("hangs", () => new Promise((resolve) => setTimeout(resolve, 60_000)));\n';

Deno.test("a suite that takes too long is ended and failed", () =>
  // Deno has to load the file and pass the other test in that time.
  despitePauses(() =>
    run([HANGS], ({ results }) => {
      assert.deepEqual(summary(results), [
        "failed ended after its time limit of 0 min",
        "passed fine",
      ]);
    }, { timeout: 2_500 })
  ));

Deno.test("an interruption ends the suite", () =>
  run([HANGS], ({ results }) => {
    assert.match(summary(results).join(), /failed the test process was killed by SIGTERM/);
  }, { signal: AbortSignal.timeout(1_500) }));
