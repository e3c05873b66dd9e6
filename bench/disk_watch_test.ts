import assert from "node:assert/strict";
import { DiskWatch } from "./disk_watch.ts";

const KIB = 1 << 10;

Deno.test("the most that a directory took is kept, also of what is gone again", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const watched = `${directory}/data`;
    let most: DiskWatch;
    {
      await using watch = most = new DiskWatch(watched);
      await Deno.mkdir(watched);
      await Deno.writeFile(`${watched}/big`, new Uint8Array(512 * KIB));
      const looks = watch.looks;
      while (watch.looks < looks + 2) await new Promise((resolve) => setTimeout(resolve, 5));
      // Small enough that a look which sees both is below the limit, too.
      await Deno.remove(`${watched}/big`);
      await Deno.writeFile(`${watched}/small`, new Uint8Array(16 * KIB));
    }
    assert.ok(most.mostBytes >= 512 * KIB && most.mostBytes < 560 * KIB, `${most.mostBytes}`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("what is there at the end counts, however short the watch was", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const watch = new DiskWatch(directory);
    await Deno.writeFile(`${directory}/late`, new Uint8Array(64 * KIB));
    await watch[Symbol.asyncDispose]();
    assert.ok(watch.mostBytes >= 64 * KIB, `${watch.mostBytes}`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
