import assert from "node:assert/strict";
import { writeArchive } from "../fixtures/make_package.ts";
import { bombs } from "./bombs.ts";
import type { ReadOutcome } from "./read_one.ts";

const SCRIPT = new URL("./read_one.ts", import.meta.url).pathname;
/** The most resident memory that reading a package may take, in bytes (design: figures to reach). */
const MEMORY_LIMIT = 200 << 20;
/** Milliseconds for one of them on a busy machine; most need one tenth of a second. */
const TIME_LIMIT = 60_000;

async function read(path: string, ...rest: readonly string[]): Promise<ReadOutcome> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", SCRIPT, path, ...rest],
    signal: AbortSignal.timeout(TIME_LIMIT),
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}

Deno.test({
  name: "a small file that would become large or slow is read in bounded memory and time",
  // The peak of a process is read from /proc.
  ignore: Deno.build.os !== "linux",
  async fn(t) {
    const directory = await Deno.makeTempDir();
    try {
      const path = `${directory}/bomb.tar.zst`;
      const dataDir = `${directory}/data`;
      await Deno.mkdir(`${dataDir}/tmp`, { recursive: true });
      for (const { name, reason, discarded, entries } of bombs()) {
        await t.step(name, async () => {
          await writeArchive(path, entries());
          const outcome = discarded ? await read(path) : await read(path, dataDir);
          assert.equal(outcome.refused?.reason, reason, outcome.refused?.message);
          const mebibytes = outcome.peakResidentBytes / (1 << 20);
          assert.ok(outcome.peakResidentBytes < MEMORY_LIMIT, `${mebibytes} MiB`);
          assert.deepEqual([...Deno.readDirSync(`${dataDir}/tmp`)], []);
        });
      }
    } finally {
      await Deno.remove(directory, { recursive: true });
    }
  },
});
