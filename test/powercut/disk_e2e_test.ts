import assert from "node:assert/strict";
import { run } from "../cluster/run.ts";
import { eventually } from "../e2e/support/agent.ts";
import { FILE_SYSTEMS, type FileSystem, ForgettingDisk } from "./disk.ts";
import { diskTest } from "./disk_testing.ts";

const BLOCK = 4096;
const HERE = new URL(".", import.meta.url).pathname;

/** Writes block number `at` past the page cache, and has it flushed if `flags` say so. */
async function writeBlock(path: string, at: number, letter: string, ...flags: string[]) {
  await run("dd", [
    ...[`of=${path}`, `bs=${BLOCK}`, "count=1", `seek=${at}`, "oflag=direct"],
    ...["iflag=fullblock", "status=none", `conv=${["notrunc", ...flags].join(",")}`],
  ], { stdin: letter.repeat(BLOCK) });
}

function blockOf(path: string, at: number): string {
  const letter = Deno.readFileSync(path)[at * BLOCK] ?? 0;
  return letter === 0 ? "" : String.fromCharCode(letter);
}

function writeSynced(path: string, text: string): void {
  using file = Deno.openSync(path, { write: true, create: true });
  file.writeSync(new TextEncoder().encode(text));
  file.syncSync();
}

function namesIn(path: string): string[] {
  return [...Deno.readDirSync(path)].map((entry) => entry.name)
    .filter((name) => name !== "lost+found").sort();
}

for (const fileSystem of FILE_SYSTEMS) {
  diskTest(
    `${fileSystem}: a cut takes a write that was not flushed and leaves one that was`,
    async () => {
      await using disk = await ForgettingDisk.create({ fileSystem });
      const file = `${disk.path}/blocks`;
      writeSynced(file, "\0".repeat(8 * BLOCK));
      await writeBlock(file, 2, "A", "fdatasync");
      await writeBlock(file, 5, "B");
      assert.equal(blockOf(file, 2) + blockOf(file, 5), "AB", "both are written");
      disk.cut();
      await disk.powerUp();
      assert.equal(blockOf(file, 2), "A");
      assert.equal(blockOf(file, 5), "", "the device forgets, not only the page cache");
    },
  );

  diskTest(
    `${fileSystem}: a cut takes a name that was not flushed and leaves one that was`,
    async () => {
      await using disk = await ForgettingDisk.create({ fileSystem });
      writeSynced(`${disk.path}/kept`, "kept");
      await Deno.writeTextFile(`${disk.path}/lost`, "lost");
      disk.cut();
      await disk.powerUp();
      assert.deepEqual(namesIn(disk.path), ["kept"]);
      assert.equal(await Deno.readTextFile(`${disk.path}/kept`), "kept");
    },
  );

  diskTest(`${fileSystem}: a disk that lies loses what was flushed`, async () => {
    await using disk = await ForgettingDisk.create({ fileSystem, lies: true });
    writeSynced(`${disk.path}/kept`, "kept");
    disk.cut();
    await disk.powerUp();
    assert.deepEqual(namesIn(disk.path), []);
  });

  diskTest(
    `${fileSystem}: without power every write fails, and after it the disk works again`,
    async () => {
      await using disk = await ForgettingDisk.create({ fileSystem });
      for (const round of ["one", "two", "three"]) {
        disk.cut();
        assert.throws(() => writeSynced(`${disk.path}/${round}`, "never"));
        await disk.powerUp();
        writeSynced(`${disk.path}/${round}`, round);
      }
      assert.deepEqual(namesIn(disk.path), ["one", "three", "two"]);
    },
  );
}

/** Mounts and loop devices of a disk that is mounted at `path`, and processes that name it. */
async function leftOf(path: string): Promise<string[]> {
  const directory = path.slice(0, path.lastIndexOf("/"));
  const mounts = await Deno.readTextFile("/proc/mounts");
  const loops = await run("losetup", ["--list", "--noheadings", "--output", "BACK-FILE"]);
  const processes = await run("ps", ["-eo", "args"]);
  const directories = await Deno.stat(directory).then(() => [directory], () => []);
  return [...`${mounts}\n${loops}\n${processes}`.split("\n"), ...directories]
    .filter((line) => line.includes(directory));
}

/** The kernel may take a moment longer. */
async function nothingLeft(path: string): Promise<void> {
  const gone = async () => (await leftOf(path)).length === 0 ? true : undefined;
  await eventually("end of all of it", gone, 10_000, async () => (await leftOf(path)).join("\n"));
}

diskTest("nothing is left of a disk, with power or without", async () => {
  for (const cut of [false, true]) {
    const disk = await ForgettingDisk.create({ fileSystem: "ext4" });
    await Deno.writeTextFile(`${disk.path}/file`, "text");
    assert.notDeepEqual(await leftOf(disk.path), []);
    if (cut) disk.cut();
    await disk[Symbol.asyncDispose]();
    await nothingLeft(disk.path);
  }
});

/** A process that makes a disk, has another one use it, says where, and stays. */
function makerOf(fileSystem: FileSystem): Deno.ChildProcess {
  const script = `
    import { ForgettingDisk } from "${HERE}disk.ts";
    const disk = await ForgettingDisk.create({ fileSystem: "${fileSystem}" });
    new Deno.Command("sh", { args: ["-c", 'exec 3>"$1/held"; sleep 60', "sh", disk.path] }).spawn();
    while (!Array.from(Deno.readDirSync(disk.path)).some(({ name }) => name === "held")) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    console.log(disk.path);
    await new Promise((resolve) => setTimeout(resolve, 60_000));`;
  return new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", "--ext=ts", script],
    stdin: "null",
    stdout: "piped",
  }).spawn();
}

for (const signal of ["SIGKILL", "SIGTERM"] as const) {
  diskTest(`nothing is left of a disk whose maker was ended by ${signal}`, async () => {
    const maker = makerOf("xfs");
    try {
      const reader = maker.stdout.pipeThrough(new TextDecoderStream()).getReader();
      const path = (await reader.read()).value?.trim() ?? assert.fail("it did not make a disk");
      assert.notDeepEqual(await leftOf(path), []);
      maker.kill(signal);
      await reader.cancel();
      await nothingLeft(path);
    } finally {
      await maker.status;
    }
  });
}
