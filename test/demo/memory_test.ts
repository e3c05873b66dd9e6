import assert from "node:assert/strict";
import { diskUsage, memoryOf, parseMemory } from "./memory.ts";

Deno.test("resident memory and its peak are read in bytes", () => {
  const status = "Name:\tx\nVmPeak:\t  999 kB\nVmHWM:\t   20 kB\nVmRSS:\t   10 kB\nThreads:\t2\n";
  assert.deepEqual(parseMemory(status), { residentBytes: 10_240, peakBytes: 20_480 });
});

Deno.test("a process that has ended has no memory to tell", () => {
  assert.throws(() => parseMemory("Name:\tx\nState:\tZ (zombie)\n"), /VmRSS/);
});

Deno.test("this process has a peak of at least what it has now", () => {
  const { residentBytes, peakBytes } = memoryOf(Deno.pid);
  assert.ok(residentBytes > 10 << 20 && peakBytes >= residentBytes);
});

Deno.test("disk usage counts blocks, and a hard link once", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const empty = await diskUsage(directory);
    await Deno.writeFile(`${directory}/a`, crypto.getRandomValues(new Uint8Array(64 << 10)));
    await Deno.link(`${directory}/a`, `${directory}/b`);
    const grown = await diskUsage(directory) - empty;
    assert.ok(grown >= 64 << 10 && grown < 96 << 10, String(grown));
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("disk usage is what du says, and nothing where nothing is", async () => {
  const directory = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${directory}/a/b`, { recursive: true });
    await Deno.writeFile(`${directory}/a/b/file`, new Uint8Array(100_000));
    await Deno.symlink("/usr", `${directory}/a/link`);
    const du = await new Deno.Command("du", { args: ["-s", "-B1", directory] }).output();
    const said = Number(new TextDecoder().decode(du.stdout).split("\t")[0]);
    assert.equal(await diskUsage(directory), said);
    assert.equal(await diskUsage(`${directory}/none`), 0);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("disk usage bears files that move while it counts", async () => {
  const directory = await Deno.makeTempDir();
  try {
    for (const name of ["one", "two"]) await Deno.mkdir(`${directory}/${name}`);
    const bytes = crypto.getRandomValues(new Uint8Array(64 << 10));
    await Deno.writeFile(`${directory}/one/file`, bytes);
    let moving = true;
    const move = async () => {
      while (moving) {
        await Deno.rename(`${directory}/one/file`, `${directory}/two/file`);
        await Deno.rename(`${directory}/two/file`, `${directory}/one/file`);
      }
    };
    const moved = move();
    for (let look = 0; look < 200; look++) {
      assert.ok(await diskUsage(directory) < 128 << 10, "a file is counted twice");
    }
    moving = false;
    await moved;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
