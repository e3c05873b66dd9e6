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
