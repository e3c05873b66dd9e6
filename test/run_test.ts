import assert from "node:assert/strict";
import { obstacle } from "./cluster/mod.ts";
import { e2eObstacle } from "./runner/prepare.ts";

const RUN = new URL("run.ts", import.meta.url).href;

/**
 * Runs `deno task test` in a repository of these files, on a machine that is ready for end-to-end
 * tests.
 *
 * @param during is called with the repository and the process while it runs.
 */
async function testRun(
  files: Readonly<Record<string, string>>,
  args: readonly string[],
  during: (root: string, run: Deno.ChildProcess) => Promise<void> = () => Promise.resolve(),
): Promise<{ code: number; lines: string[] }> {
  const root = await Deno.makeTempDir();
  try {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(`${root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, text);
    }
    const given = [args, root].map((value) => JSON.stringify(value)).join();
    const call = `import { main } from ${JSON.stringify(RUN)};\n` +
      `Deno.exit(await main(${given}, () => Promise.resolve()));\n`;
    const run = new Deno.Command(Deno.execPath(), {
      args: ["eval", call],
      env: {
        HOLDFAST_TEST_LOGS: `${root}/logs`,
        HOLDFAST_STATE: `${root}/state/clusters`,
        NO_COLOR: "1",
      },
      stdout: "piped",
    }).spawn();
    await during(root, run);
    const { code, stdout } = await run.output();
    return { code, lines: new TextDecoder().decode(stdout).trimEnd().split("\n") };
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const PASS = 'Deno.test("fine", () => {});\n';
const FAIL = 'Deno.test("bad", () => {\n' +
  '  Deno.writeTextFileSync(Deno.env.get("HOLDFAST_TEST_LOGS") + "/agent.log", "last words");\n' +
  '  throw new Error("boo");\n});\n';

Deno.test("all passed is 0, with the closing line", async () => {
  const files = { "src/a/x_test.ts": PASS, "src/b/y_test.ts": PASS };
  const { code, lines } = await testRun(files, ["--unit", "src"]);
  assert.equal(code, 0);
  assert.match(lines[0] ?? "", /^logs: /);
  const [a = "", b = ""] = lines.slice(1, 3).sort();
  assert.match(a, /^ok {3}src\/a: fine \(\d/);
  assert.match(b, /^ok {3}src\/b: fine \(\d/);
  assert.deepEqual(lines.slice(3), ["2 passed, 0 failed"]);
});

Deno.test("one failure is 1, with its text and the logs that it left", async () => {
  const files = { "src/a/x_test.ts": FAIL, "src/b/y_test.ts": PASS };
  const { code, lines } = await testRun(files, ["--unit", "src"]);
  assert.equal(code, 1);
  const text = lines.join("\n");
  assert.match(text, /^FAIL src\/a: bad/m);
  assert.match(text, /Error: boo/);
  assert.match(text, /src-a\/agent\.log\n\s+last words/);
  assert.equal(lines.at(-1), "1 passed, 1 failed");
});

Deno.test("wrong arguments are 2, with the usage", async () => {
  const { code, lines } = await testRun({}, ["--fast"]);
  assert.equal(code, 2);
  assert.match(lines[0] ?? "", /^usage: deno task test/);
});

const machines: { os: string; uid: number | null; want: RegExp | undefined }[] = [
  { os: "linux", uid: 0, want: undefined },
  { os: "linux", uid: 1000, want: /needs root/ },
  { os: "darwin", uid: 0, want: /needs Linux/ },
  { os: "windows", uid: null, want: /needs Linux/ },
];
for (const { os, uid, want } of machines) {
  Deno.test(`on ${os} as user ${uid} end-to-end tests ${want ? "are skipped" : "run"}`, () => {
    const obstacle = e2eObstacle(os, uid);
    if (want === undefined) assert.equal(obstacle, undefined);
    else assert.match(obstacle ?? "", want);
  });
}

/**
 * A test that passes once `others` tests like it have begun in this run.
 *
 * @param leaves what it makes in the state directory of clusters.
 */
const meeting = (others: number, leaves = ""): string => `
  Deno.test("meets", async () => {
    const root = Deno.env.get("HOLDFAST_TEST_LOGS") + "/../..";
    const state = Deno.env.get("HOLDFAST_STATE");
    if (${leaves !== ""}) Deno.mkdirSync(state + "/${leaves}", { recursive: true });
    Deno.mkdirSync(root + "/hall", { recursive: true });
    Deno.writeTextFileSync(root + "/hall/" + Deno.pid, state);
    for (let tries = 0; [...Deno.readDirSync(root + "/hall")].length <= ${others}; tries++) {
      if (tries > 600) throw new Error("nobody came");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  });`;

/** What tests found in the environment as the state directory, of all that have begun. */
function statesSeen(root: string): string[] {
  try {
    const hall = [...Deno.readDirSync(`${root}/hall`)];
    return hall.map(({ name }) => Deno.readTextFileSync(`${root}/hall/${name}`));
  } catch {
    return [];
  }
}

Deno.test("suites run beside one another, those that run alone after them", async () => {
  const files = {
    "src/a/x_test.ts": `// Runs alone: the others must have ended.\n${PASS}`,
    "src/b/x_test.ts": meeting(1),
    "src/c/x_test.ts": meeting(1),
  };
  const { code, lines } = await testRun(files, ["--unit", "--lanes=2", "src"]);
  assert.equal(code, 0, lines.join("\n"));
  assert.match(lines.at(-2) ?? "", /^ok {3}src\/a: fine/);
});

function e2eTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: obstacle() !== undefined, fn });
}

e2eTest("each lane has clusters of its own, and what a suite leaves is its failure", async () => {
  const files = {
    "test/a_e2e_test.ts": meeting(1, "one"),
    "test/b_e2e_test.ts": meeting(1, "two"),
  };
  const { code, lines } = await testRun(files, ["--lanes=2"], async (root, run) => {
    await run.status;
    assert.equal(new Set(statesSeen(root)).size, 2, statesSeen(root).join());
    assert.deepEqual([...Deno.readDirSync(`${root}/state`)], [], "nothing is left");
  });
  assert.equal(code, 1);
  assert.match(lines.join("\n"), /^FAIL test\/a: left the cluster one behind/m);
  assert.match(lines.join("\n"), /^FAIL test\/b: left the cluster two behind/m);
  // The preparation counts as one.
  assert.equal(lines.at(-1), "3 passed, 2 failed");
});

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  e2eTest(`${signal} ends all lanes, takes their clusters away and begins nothing`, async () => {
    const files = {
      "test/a_e2e_test.ts": `// Runs first: it takes long.\n${meeting(9, "one")}`,
      "test/b_e2e_test.ts": `// Runs first: it takes long.\n${meeting(9, "two")}`,
      "test/c_e2e_test.ts": PASS,
    };
    const { code, lines } = await testRun(files, ["--lanes=2"], async (root, run) => {
      while (statesSeen(root).length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
      run.kill(signal);
      await run.status;
      assert.deepEqual([...Deno.readDirSync(`${root}/state`)], [], "nothing is left");
    });
    assert.equal(code, 1);
    for (const suite of ["a", "b"]) {
      const line = `^FAIL test/${suite}: the test process was killed by SIGTERM`;
      assert.match(lines.join("\n"), new RegExp(line, "m"));
    }
    assert.equal(lines.at(-1), "1 passed, 2 failed");
  });
}
