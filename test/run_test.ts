import assert from "node:assert/strict";
import { e2eObstacle } from "./runner/prepare.ts";

const RUN = new URL("run.ts", import.meta.url).href;

/** Runs `deno task test` in a repository of these files. */
async function testRun(
  files: Readonly<Record<string, string>>,
  args: readonly string[],
): Promise<{ code: number; lines: string[] }> {
  const root = await Deno.makeTempDir();
  try {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(`${root}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${root}/${path}`, text);
    }
    const call = `import { main } from ${JSON.stringify(RUN)};\n` +
      `Deno.exit(await main(${JSON.stringify(args)}, ${JSON.stringify(root)}));\n`;
    const { code, stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", call],
      env: { HOLDFAST_TEST_LOGS: `${root}/logs`, NO_COLOR: "1" },
    }).output();
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
  assert.match(lines[1] ?? "", /^ok {3}src\/a: fine \(\d/);
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
