import assert from "node:assert/strict";
import { despitePauses } from "../../test/fakes/testing.ts";
import { EagerFile, FLUSH_STEP } from "./eager_file.ts";
import { withDirectory } from "./testing.ts";

const MIB = 1 << 20;

/** The calls of a real program that writes a file of so many MiB, by strace. */
async function tracedCalls(dir: string, mebibytes: number): Promise<string[]> {
  const script = `
    const { EagerFile } = await import(${JSON.stringify(import.meta.resolve("./eager_file.ts"))});
    const file = new EagerFile(${JSON.stringify(`${dir}/file`)}, 0o644);
    for (let at = 0; at < ${mebibytes}; at++) {
      file.write(new Uint8Array(${MIB}));
      if (at % 4 === 3) await new Promise((resolve) => setTimeout(resolve, 100));
    }
    file.close();`;
  await Deno.writeTextFile(`${dir}/write.ts`, script);
  const { code, stderr } = await new Deno.Command("strace", {
    args: [
      ...["-f", "-y", "-e", "trace=openat,write,fdatasync,fsync", "-o", `${dir}/trace`],
      ...[Deno.execPath(), "run", "-A", "--no-check", `${dir}/write.ts`],
    ],
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
  const lines = (await Deno.readTextFile(`${dir}/trace`)).split("\n");
  return lines.filter((line) => line.includes(`${dir}/file`));
}

Deno.test("the bytes are in the file in their order, whatever was flushed meanwhile", () =>
  withDirectory(async (dir) => {
    const file = new EagerFile(`${dir}/file`, 0o640);
    const chunks = Array.from({ length: 40 }, (_, at) => new Uint8Array(MIB).fill(at));
    for (const chunk of chunks) {
      file.write(chunk);
      await new Promise((resolve) => setTimeout(resolve));
    }
    file.close();
    const bytes = await Deno.readFile(`${dir}/file`);
    assert.equal(bytes.length, 40 * MIB);
    for (const [at, chunk] of chunks.entries()) {
      assert.equal(bytes[at * MIB], at);
      assert.equal(bytes[(at + 1) * MIB - 1], chunk[0]);
    }
    const { mode } = await Deno.stat(`${dir}/file`);
    assert.equal((mode ?? 0) & 0o777, 0o640 & ~Deno.umask());
  }));

Deno.test("what is there is not written over, and the disk's refusal is the caller's", () =>
  withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/file`, "mine");
    assert.throws(() => new EagerFile(`${dir}/file`, 0o644), Deno.errors.AlreadyExists);
    assert.equal(await Deno.readTextFile(`${dir}/file`), "mine");
    assert.throws(() => new EagerFile(`${dir}/none/file`, 0o644), Deno.errors.NotFound);
  }));

Deno.test("closing it twice is wrong, and a flush that comes too late does no harm", () =>
  withDirectory(async (dir) => {
    const file = new EagerFile(`${dir}/file`, 0o644);
    file.write(new Uint8Array(FLUSH_STEP));
    file.close();
    await Deno.remove(`${dir}/file`);
    assert.throws(() => file.close(), Deno.errors.BadResource);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }));

Deno.test({
  name: "a large file goes to the disk while it is written, and its own descriptor is asked last",
  ignore: !isThere("/usr/bin/strace"),
  // While the disk has not answered to one flush no other is begun.
  fn: () =>
    despitePauses(() =>
      withDirectory(async (dir) => {
        const calls = await tracedCalls(dir, 40);
        const at = (part: string) => calls.findIndex((call) => call.includes(part));
        const syncs = calls.filter((call) => call.includes("fdatasync("));
        assert.ok(syncs.length >= 3, `flushed ${syncs.length} times`);
        const lastWrite = calls.findLastIndex((call) => call.includes("write("));
        assert.ok(at("fdatasync(") < lastWrite, "a flush begins before the last byte is written");
        const last = calls.findLastIndex((call) => call.includes("fdatasync("));
        assert.ok(last > lastWrite, "the last flush comes after the last byte");
        const writer = /write\((\d+)</.exec(calls[lastWrite] ?? "")?.[1];
        const flusher = /fdatasync\((\d+)</.exec(syncs[0] ?? "")?.[1];
        assert.notEqual(flusher, writer, "only who did not hear of a failure before is told of it");
        assert.equal(/fdatasync\((\d+)</.exec(calls[last] ?? "")?.[1], writer);
      })
    ),
});

Deno.test({
  name: "a small file is left to whoever flushes it in the end",
  ignore: !isThere("/usr/bin/strace"),
  fn: () =>
    withDirectory(async (dir) => {
      const calls = await tracedCalls(dir, FLUSH_STEP / MIB - 1);
      assert.ok(calls.some((call) => call.includes("write(")));
      assert.ok(!calls.some((call) => call.includes("sync(")), calls.join("\n"));
    }),
});

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
