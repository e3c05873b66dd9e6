// Runs alone: it measures.
import assert from "node:assert/strict";
import { REPOSITORY_ROOT } from "../../extension/build/go_tools.ts";

async function bench(args: readonly string[]) {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `${REPOSITORY_ROOT}/bench/main.ts`, ...args],
    cwd: REPOSITORY_ROOT,
    stdin: "null",
  });
  const { code, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, stdout: text.decode(stdout), stderr: text.decode(stderr) };
}

/** The sides of each case of a quick run, by the name of the case. */
function measured(name: string): Record<string, string[]> {
  const path = `${REPOSITORY_ROOT}/bench/results/${name}-quick.json`;
  const { cases } = JSON.parse(Deno.readTextFileSync(path));
  const entries = cases.map((one: { name: string; sides: { name: string }[] }) => [
    one.name,
    one.sides.map((side) => side.name),
  ]);
  return Object.fromEntries(entries);
}

Deno.test("the benchmarks without a cluster measure every side that is there", async () => {
  const { code, stdout, stderr } = await bench(["registry", "import", "verify", "--quick"]);
  assert.equal(code, 0, stdout + stderr);
  const sides = measured("registry")["four clients"] ?? [];
  assert.deepEqual(measured("registry")["one client"], sides);
  assert.equal(sides[0], "holdfast");
  for (const peer of ["registry:3", "nginx"]) {
    assert.ok(sides.includes(peer) || stdout.includes(`left out: ${peer} (`), peer);
  }
  assert.deepEqual(measured("import"), {
    "40 MB package": ["holdfast", "zstd | tar x", "zarf package inspect"],
  });
  assert.deepEqual(measured("verify"), {
    "40 MB package": ["holdfast", "zarf package inspect", "zstd | openssl"],
  });
  const disk = /40 MB package: most disk at any moment per byte of content +(\d\.\d+)/.exec(stdout);
  assert.ok(Number(disk?.[1]) >= 1 && Number(disk?.[1]) < 1.1, stdout);
  const memory = /40 MB package: peak resident memory of the agent +(\d+) MiB/.exec(stdout);
  assert.ok(Number(memory?.[1]) >= 30 && Number(memory?.[1]) <= 200, stdout);
});

Deno.test("the benchmarks are listed with what they compare", async () => {
  const { code, stdout } = await bench(["--list"]);
  assert.equal(code, 0);
  assert.deepEqual(stdout.match(/^\w+/gm), ["admission", "deploy", "import", "registry", "verify"]);
});

Deno.test("a benchmark that does not exist is wrong use", async () => {
  const { code, stderr } = await bench(["speed"]);
  assert.equal(code, 2);
  assert.match(stderr, /no benchmark speed/);
});
