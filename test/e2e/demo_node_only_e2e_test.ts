import assert from "node:assert/strict";
import { REPOSITORY_ROOT } from "../../extension/build/go_tools.ts";

/** What issue and README promise for a fresh machine, in milliseconds. */
const PROMISED = 60_000;

async function demo(args: readonly string[]) {
  const temporary = await Deno.makeTempDir();
  try {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", `${REPOSITORY_ROOT}/test/demo/main.ts`, ...args],
      cwd: REPOSITORY_ROOT,
      env: { TMPDIR: temporary },
      stdin: "null",
    });
    const { code, stdout, stderr } = await child.output();
    const text = new TextDecoder();
    // The runtime keeps compiled code there; that is not the demo's.
    const left = [...Deno.readDirSync(temporary)].map(({ name }) => name)
      .filter((name) => !name.startsWith("deno-compile-"));
    return { code, stdout: text.decode(stdout), stderr: text.decode(stderr), left };
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

Deno.test("the demo without a cluster shows verdict, pull and status page in under a minute", async () => {
  const started = performance.now();
  const { code, stdout, stderr, left } = await demo(["--node-only", "--no-wait"]);
  assert.equal(code, 0, stdout + stderr);
  assert.ok(performance.now() - started < PROMISED);
  const verdict = /^\{\n[^]*?^\}$/m.exec(stdout)?.[0] ?? "";
  const { kind, phase, package: { name, version } } = JSON.parse(verdict);
  assert.deepEqual([kind, phase, name, version], ["PackageStatus", "Accepted", "hello", "0.1.0"]);
  assert.match(stdout, /library\/hello:0\.1\.0 {2}sha256:[0-9a-f]{64}/);
  assert.match(stdout, /node registry {2}ok/);
  assert.match(stdout, /hello 0\.1\.0 {2}Unsigned {2}Accepted/);
  assert.match(stdout, /disk used by the store per package byte +1\.0\d /);
  assert.ok(!stdout.includes("\x1b"), "no terminal codes in a pipe");
  assert.deepEqual(left, [], "nothing is left behind");
});

Deno.test("the demo refuses a wrong command line with code 2 and shows how it is used", async () => {
  const { code, stderr } = await demo(["--nodes", "none"]);
  assert.equal(code, 2);
  assert.match(stderr, /--nodes takes a number[^]*usage: deno task demo/);
});

Deno.test("the demo's closed standard input ends it as Enter does", async () => {
  const { code, stdout } = await demo(["--node-only"]);
  assert.equal(code, 0);
  assert.match(stdout, /Press Enter to end[^]*nothing is left behind/);
});
