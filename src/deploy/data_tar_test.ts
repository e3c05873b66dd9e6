import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { exec } from "../std/mod.ts";
import { compressed, DataTar, markerTar } from "./data_tar.ts";

const ENV = { PATH: "/usr/bin:/bin" };

/** What the machine's own tar makes of it, below a new directory. */
async function unpack(directory: string, tar: AsyncIterable<Uint8Array>, ...flags: string[]) {
  Deno.mkdirSync(directory, { recursive: true });
  const args = ["-x", ...flags, "-f", "-", "-C", directory];
  const { code, stderr } = await exec("tar", { args, env: ENV, stdin: tar, timeout: 60_000 });
  assert.equal(code, 0, stderr);
}

/** What lies below a directory: type, mode, time, size or where a link leads, and content. */
async function listing(directory: string): Promise<string> {
  const script =
    "find . ! -type d -printf '%y %m %s %l %T@ %p\\n' -o -printf '%y %m %p\\n' | sort;" +
    " find . -type f | sort | xargs -d '\\n' sha256sum";
  const { stdout, stderr, code } = await exec("sh", {
    args: ["-c", script],
    env: ENV,
    cwd: directory,
    timeout: 60_000,
  });
  assert.equal(code, 0, stderr);
  // Whole seconds are all that a tar holds.
  return stdout.replace(/(\d{9,})\.\d+ /g, "$1 ");
}

function fill(directory: string): void {
  const deep = `${directory}/${"d".repeat(90)}/${"e".repeat(90)}`;
  Deno.mkdirSync(deep, { recursive: true });
  Deno.mkdirSync(`${directory}/empty`, { mode: 0o700 });
  Deno.writeTextFileSync(`${directory}/a b 'quoted' ünï`, "text");
  Deno.writeTextFileSync(`${directory}/secret`, "s", { mode: 0o600 });
  Deno.writeTextFileSync(`${directory}/run.sh`, "#!/bin/sh\n", { mode: 0o755 });
  Deno.writeTextFileSync(`${directory}/nothing`, "");
  Deno.writeFileSync(`${directory}/.hidden`, new Uint8Array(512));
  Deno.writeFileSync(`${deep}/big`, new Uint8Array(700_001).fill(7));
  Deno.symlinkSync("../secret", `${directory}/empty/link`);
  Deno.symlinkSync("t".repeat(200), `${directory}/far`);
  Deno.utimeSync(`${directory}/secret`, 1_600_000_000, 1_600_000_000);
}

for (const [what, flags] of [["as it is", []], ["compressed", ["-z"]]] as const) {
  Deno.test(`a directory comes out of the tar as it was, ${what}`, () =>
    withDirectory(async (dir) => {
      Deno.mkdirSync(`${dir}/from`);
      fill(`${dir}/from`);
      const tar = new DataTar(`${dir}/from`);
      await unpack(`${dir}/to`, flags.length > 0 ? compressed(tar) : tar, ...flags);
      assert.equal(tar.whole, true);
      assert.equal(await listing(`${dir}/to`), await listing(`${dir}/from`));
    }));
}

Deno.test("it lists what tar itself lists", () =>
  withDirectory(async (dir) => {
    fill(dir);
    const list = async (stdin?: AsyncIterable<Uint8Array>) => {
      const command = stdin === undefined ? "tar -c -C . . | tar -t" : "tar -t";
      const { stdout } = await exec("sh", {
        args: ["-c", command],
        env: ENV,
        cwd: dir,
        timeout: 60_000,
        ...(stdin === undefined ? {} : { stdin }),
      });
      return stdout.split("\n").sort();
    };
    assert.deepEqual(await list(new DataTar(dir)), await list());
  }));

Deno.test("it is not whole when somebody stops taking it, or a file is gone", () =>
  withDirectory(async (dir) => {
    fill(dir);
    const stopped = new DataTar(dir);
    for await (const _ of stopped) break;
    assert.equal(stopped.whole, false);
    const broken = new DataTar(`${dir}/not there`);
    await assert.rejects(Array.fromAsync(broken), Deno.errors.NotFound);
    assert.equal(broken.whole, false);
  }));

Deno.test("a large file is held in small pieces, one at a time", () =>
  withDirectory(async (dir) => {
    const size = 1 << 30;
    // Sparse: it costs no disk.
    using file = Deno.createSync(`${dir}/large`);
    file.truncateSync(size);
    let [bytes, largest] = [0, 0];
    for await (const chunk of new DataTar(dir)) {
      bytes += chunk.length;
      largest = Math.max(largest, chunk.buffer.byteLength);
      if (bytes > 64 << 20) break;
    }
    assert.ok(largest <= 64 << 10, `${largest}`);
  }));

Deno.test("a marker is one empty file", () =>
  withDirectory(async (dir) => {
    const name = ".zarf-injection-1700000000";
    await unpack(dir, ReadableStream.from([markerTar(name)]));
    assert.deepEqual([...Deno.readDirSync(dir)].map((entry) => entry.name), [name]);
    assert.equal((Deno.statSync(`${dir}/${name}`).mode ?? 0) & 0o777, 0o644);
  }));
