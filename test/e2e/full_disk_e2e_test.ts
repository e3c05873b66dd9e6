import assert from "node:assert/strict";
import type { FullDisk } from "./support/full_disk_main.ts";

const MAIN = decodeURIComponent(new URL("support/full_disk_main.ts", import.meta.url).pathname);
/** Room for two stores and what they write, and to start one beside them. */
const SIZE = "12m";
/** How many files there may be. */
const FILES = 400;

/** Runs the program on a disk of its own, which goes with it. */
async function onSmallDisk(): Promise<Record<string, FullDisk>> {
  const dir = await Deno.makeTempDir({ prefix: "holdfast-full-" });
  try {
    const run =
      `mount -t tmpfs -o size=${SIZE},nr_inodes=${FILES} tmpfs "$1" && exec "$2" run -A --no-check "$3" "$1"`;
    const { code, stdout, stderr } = await new Deno.Command("unshare", {
      args: ["--mount", "--propagation", "private"].concat(
        ["sh", "-ec", run, "sh", dir, Deno.execPath(), MAIN],
      ),
    }).output();
    const text = new TextDecoder();
    assert.equal(code, 0, text.decode(stderr));
    return JSON.parse(text.decode(stdout));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test({
  name:
    "on a disk with room for any number of pages, SQLite and files tell that it is full and keep all",
  ignore: Deno.build.os !== "linux" || Deno.uid() !== 0,
  fn: async (t) => {
    const results = await onSmallDisk();
    const deeds = ["record", "ledger", "blob", "package", "start"];
    const starts = ["stopped, pages", "stopped, files", "killed, pages", "killed, files"];
    assert.deepEqual(Object.keys(results), [...deeds, ...starts]);
    for (const [name, { told, faults, passed }] of Object.entries(results)) {
      await t.step(`${name}: told ${told} times`, () => {
        assert.deepEqual(faults, []);
        assert.ok(passed, "it ends as on a disk with room");
        // A start makes no more than SQLite's log and its index.
        assert.ok(told >= (name.endsWith("files") ? 1 : 4), `${told}`);
      });
    }
  },
});
