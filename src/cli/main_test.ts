import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { load } from "js-yaml";
import { withDirectory } from "../../test/fakes/testing.ts";
import { settingNames } from "../agent/mod.ts";
import { exec } from "../std/mod.ts";
import { EXIT } from "./exit_codes.ts";
import { run } from "./testing.ts";

const MAIN = fileURLToPath(import.meta.resolve("../../main.ts"));

Deno.test("the version is printed in two ways", async () => {
  const { code, out } = await run("version");
  assert.equal(code, EXIT.done);
  assert.match(out, /^\d+\.\d+\.\d+\S*\n$/);
  assert.deepEqual(await run("--version"), { code: EXIT.done, out, err: "" });
});

Deno.test("the help names every command that people call, and no other", async () => {
  const { code, out, err } = await run("--help");
  assert.equal(code, EXIT.done);
  assert.equal(err, "");
  for (const command of ["agent", "status", "package", "version"]) {
    assert.match(out, RegExp(`^  ${command} `, "m"));
  }
  assert(!out.includes("post-render"));
});

Deno.test("the agent's help names every setting", async () => {
  const { code, out } = await run("agent", "--help");
  assert.equal(code, EXIT.done);
  for (const name of [...settingNames(), "config", "print-config"]) {
    assert(out.includes(`--${name}`));
  }
  assert.match(out, /--drop-dir <DIR> [^-]*\(repeatable\)/);
});

const misuse: readonly [string, string[], RegExp][] = [
  ["no command", [], /Usage: holdfast/],
  ["an unknown command", ["deploy"], /unknown command 'deploy'/],
  ["an unknown flag", ["status", "--colour"], /unknown option '--colour'/],
  ["an unknown flag of the agent", ["agent", "--drop", "/x"], /unknown option '--drop'/],
  ["a flag without its value", ["agent", "--data-dir"], /argument missing/],
  ["an unknown format", ["status", "-o", "xml"], /Allowed choices are table, json, yaml/],
  ["a word too many", ["version", "now"], /too many arguments/],
  ["an agent without a drop directory", ["agent"], /drop-dir.*HOLDFAST_DROP_DIR/],
  ["an address that is none", ["agent", "--drop-dir=/x", "--status-address=7"], /not HOST:PORT/],
  ["a mode that is none", ["agent", "--drop-dir=/x", "--image-mode=magic"], /image-mode "magic"/],
  ["a file that is not there", ["agent", "--config=/nowhere.yaml"], /nowhere\.yaml cannot be read/],
  [
    "a key that is not there",
    ["agent", "--drop-dir=/x", "--trust-key=/no.pub"],
    /file \/no\.pub cannot/,
  ],
];

for (const [what, argv, says] of misuse) {
  Deno.test(`${what} is wrong use, is explained, and prints nothing to the output`, async () => {
    const { code, out, err } = await run(...argv);
    assert.equal(code, EXIT.wrongUse, err);
    assert.match(err, says);
    assert.equal(out, "");
  });
}

Deno.test("the settings are printed as YAML, each with where it came from", () =>
  withDirectory(async (dir) => {
    Deno.writeTextFileSync(`${dir}/agent.yaml`, "log-level: debug\nnode-name: from-file\n");
    const { code, out, err } = await run(
      ...["agent", "--print-config", `--config=${dir}/agent.yaml`, "--node-name=node-7"],
      ...["--drop-dir=/a", "--drop-dir=/b"],
    );
    assert.equal(code, EXIT.done, err);
    const line = (name: string) => out.split("\n").find((one) => one.startsWith(`${name}:`));
    assert.equal(line("node-name"), "node-name: node-7 # flag");
    assert.equal(line("log-level"), "log-level: debug # file");
    assert.equal(line("registry-address"), "registry-address: 127.0.0.1:31999 # default");
    assert.match(line("drop-dir") ?? "", /^drop-dir: \[\s?\/a, \/b\s?\] # flag$/);
    const read = load(out) as Record<string, unknown>;
    assert.deepEqual(read["drop-dir"], ["/a", "/b"]);
    Deno.writeTextFileSync(`${dir}/again.yaml`, out);
    const again = await run("agent", "--print-config", `--config=${dir}/again.yaml`);
    assert.deepEqual(load(again.out), read, "what it prints can be given back");
  }));

Deno.test("an environment variable is a setting, too", async () => {
  Deno.env.set("HOLDFAST_DROP_DIR", "/from/env:/second");
  try {
    const { out } = await run("agent", "--print-config");
    assert.match(out, /^drop-dir: \[\s?\/from\/env, \/second\s?\] # environment$/m);
  } finally {
    Deno.env.delete("HOLDFAST_DROP_DIR");
  }
});

/** The program as Helm calls it. */
function program(argv: readonly string[], stdin: string, env: Record<string, string> = {}) {
  const args = ["run", "-A", "--no-check", MAIN, ...argv];
  const base = { HOME: Deno.env.get("HOME") ?? "/", DENO_NO_UPDATE_CHECK: "1" };
  return exec(Deno.execPath(), { args, stdin, env: { ...base, ...env }, timeout: 60_000 });
}

Deno.test("a post-renderer that is not called by Helm fails on its error output", async () => {
  const { code, stdout, stderr } = await program(["post-render"], "kind: Pod\n");
  assert.equal(code, EXIT.failed);
  assert.equal(stdout, "");
  assert.match(stderr, /^holdfast: .+\n$/);
});

Deno.test("the process ends with the code, and output goes where it belongs", async () => {
  const good = await program(["version"], "");
  assert.deepEqual([good.code, good.stderr], [EXIT.done, ""]);
  assert.match(good.stdout, /^\d+\.\d+\.\d+/);
  const bad = await program(["--colour"], "");
  assert.deepEqual([bad.code, bad.stdout], [EXIT.wrongUse, ""]);
  assert.match(bad.stderr, /unknown option/);
});
