import assert from "node:assert/strict";
import { exec, HoldfastError } from "../std/mod.ts";
import { errorLine } from "./terminal.ts";

Deno.test("an error is one line: what failed, why, what was kept, what to do", () => {
  const error = new HoldfastError({
    reason: "Full",
    message: "the package cannot be stored",
    kept: "the store is unchanged",
    remedy: "free some space",
    cause: new Error("no space left"),
  });
  assert.equal(
    errorLine(error),
    "holdfast: the package cannot be stored: no space left; the store is unchanged; " +
      "free some space\n",
  );
});

/** Writes a megabyte through the process's own terminal, into a shell's pipe. */
function written(into: string) {
  const module = JSON.stringify(import.meta.resolve("./terminal.ts"));
  const script = `import { systemTerminal } from ${module};
    for (let i = 0; i < 100; i++) systemTerminal.out("x".repeat(10_000) + "\\n");
    systemTerminal.err("all is written\\n");`;
  const args = ["-c", `"$0" eval --no-check "$1" | ${into}`, Deno.execPath(), script];
  const env = { PATH: "/usr/bin:/bin", HOME: "/tmp", DENO_NO_UPDATE_CHECK: "1" };
  return exec("/bin/sh", { args, env, timeout: 60_000 });
}

Deno.test("a long output arrives whole", async () => {
  const { stdout, stderr } = await written("wc -c");
  assert.equal(Number(stdout), 1_000_100);
  assert.equal(stderr, "all is written\n");
});

Deno.test("a reader that goes away is no failure", async () => {
  const { stdout, stderr } = await written("head -c 5");
  assert.equal(stdout, "xxxxx");
  assert.equal(stderr, "all is written\n");
});
