import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { withTemporaryDirectory } from "./temporary_directory.ts";

const names = (directory: string) => [...Deno.readDirSync(directory)].map(({ name }) => name);

Deno.test("the directory is nobody else's, and is gone afterwards with all that is in it", () =>
  withDirectory(async (parent) => {
    const result = await withTemporaryDirectory((directory) => {
      assert.deepEqual(names(parent).map((name) => `${parent}/${name}`), [directory]);
      assert.equal((Deno.statSync(directory).mode ?? 0) & 0o777, 0o700);
      Deno.mkdirSync(`${directory}/a`);
      Deno.writeTextFileSync(`${directory}/a/b`, "");
      return Promise.resolve("done");
    }, parent);
    assert.equal(result, "done");
    assert.deepEqual(names(parent), []);
  }));

Deno.test("it is gone after a failure, too, and the failure is told", () =>
  withDirectory(async (parent) => {
    const fails = withTemporaryDirectory(() => Promise.reject(new Error("no")), parent);
    await assert.rejects(fails, /no/);
    assert.deepEqual(names(parent), []);
  }));

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`${signal} removes it and ends the process with ${code}`, () =>
    withDirectory(async (parent) => {
      const module = JSON.stringify(import.meta.resolve("./temporary_directory.ts"));
      const script = `import { withTemporaryDirectory } from ${module};
        await withTemporaryDirectory(async () => {
          console.log("ready");
          await new Promise((resolve) => setTimeout(resolve, 60_000));
        }, ${JSON.stringify(parent)});`;
      const child = new Deno.Command(Deno.execPath(), {
        args: ["eval", "--no-check", script],
        stdout: "piped",
      }).spawn();
      const reader = child.stdout.getReader();
      assert.match(new TextDecoder().decode((await reader.read()).value), /ready/);
      assert.equal(names(parent).length, 1);
      child.kill(signal);
      assert.equal((await child.status).code, code);
      await reader.cancel();
      assert.deepEqual(names(parent), []);
    }));
}
