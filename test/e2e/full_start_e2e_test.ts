import assert from "node:assert/strict";
import { HELLO, PACKAGES } from "./support/agent.ts";
import { LocalAgent } from "./support/local_agent.ts";
import { SmallDisk } from "./support/small_disk.ts";

/*
 * The compiled agent on a real file system that is full when it starts: it serves what it has, says
 * why it does no more, and goes on by itself when there is room.
 */

const LARGER = `${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`;
const PATIENCE = 120_000;

/** How a disk comes to be full, and what is then said of it. */
const FULL: Readonly<
  Record<string, { readonly fill: (disk: SmallDisk) => Promise<void>; readonly says: RegExp }>
> = {
  "no space": {
    fill: (disk) => disk.fill(),
    says: /free space on the data disk; it goes on by itself/,
  },
  "no inodes": {
    fill: (disk) => disk.fillFiles(),
    says: /remove files on the data disk, it has no free inodes; it goes on/,
  },
};

/** An agent whose data are on a disk of their own. */
async function staged(action: (agent: LocalAgent, disk: SmallDisk) => Promise<void>) {
  await using agent = new LocalAgent();
  Deno.mkdirSync(agent.dataDir);
  await using disk = await SmallDisk.at(agent.dataDir);
  await action(agent, disk);
  await agent.stop();
}

async function isServed(agent: LocalAgent): Promise<boolean> {
  const base = `http://${agent.addresses.registry}/v2/library/hello`;
  const manifest = await fetch(`${base}/manifests/0.1.0`);
  const text = await manifest.text();
  if (!manifest.ok) return false;
  const { layers }: { layers: { digest: string; size: number }[] } = JSON.parse(text);
  for (const { digest, size } of layers) {
    const blob = await fetch(`${base}/blobs/${digest}`);
    if ((await blob.bytes()).length !== size) return false;
  }
  return layers.length > 0;
}

/** What `/readyz` says of the store, if it is not in order. */
async function storeTrouble(agent: LocalAgent): Promise<string | undefined> {
  return (await agent.get("/readyz")).split("\n").find((line) => line.startsWith("store: "));
}

/** Waits until the store is in order, with everything taken in. */
async function goesOn(agent: LocalAgent, ...paths: string[]): Promise<void> {
  await agent.eventually(
    "a store in order",
    async () => await storeTrouble(agent) === undefined || undefined,
    PATIENCE,
  );
  for (const path of paths) {
    await agent.settled(path, { phases: ["Accepted"], timeout: PATIENCE });
  }
  assert(await isServed(agent));
}

const ignore = Deno.build.os !== "linux" || Deno.uid() !== 0;

for (const [what, { fill, says }] of Object.entries(FULL)) {
  for (const [how, signal] of [["stopped", "SIGTERM"], ["killed", "SIGKILL"]] as const) {
    Deno.test({
      name: `an agent that was ${how} starts on a disk with ${what}, serves, and goes on by itself`,
      ignore,
      fn: () =>
        staged(async (agent, disk) => {
          const hello = await agent.drop(HELLO);
          await agent.started();
          await agent.settled(hello, { phases: ["Accepted"] });
          await agent.stop(signal);
          await fill(disk);

          await agent.started();
          const trouble = await storeTrouble(agent);
          // What a killed process has left of its log may be all that a start needs.
          if (signal === "SIGTERM" || trouble !== undefined) {
            assert.match(trouble ?? "", /^store: the data disk was full when the agent started: /);
            assert.match(trouble ?? "", says);
            assert.equal((await agent.part("store")).ok, false);
            assert.equal(agent.logged(/ error the data disk was full when/).length, 1);
          }
          assert(await isServed(agent));
          const larger = await agent.drop(LARGER);
          const waits = await agent.settled(larger, { phases: ["Receiving"], where: isFull });
          if (trouble !== undefined) assert.match(waits.message, says);
          assert.match(await agent.get("/api/v1/packages"), /"name": "hello"/);

          // Nothing is lost by an end in between, whichever.
          for (const end of ["SIGKILL", "SIGTERM"] as const) {
            await agent.stop(end);
            await agent.started();
            assert(await isServed(agent));
          }
          await disk.free();
          await goesOn(agent, hello, larger);
          assert.equal((await agent.stop()).code, 0);
          await agent.started();
          await goesOn(agent, hello, larger);
          assert.deepEqual(agent.logged(/quarantine|moved aside|ends/), []);
        }),
    });
  }

  Deno.test({
    name: `an agent that has nothing yet starts on a disk with ${what}, and goes on by itself`,
    ignore,
    fn: () =>
      staged(async (agent, disk) => {
        // As a start that came as far as its lock.
        Deno.writeTextFileSync(`${agent.dataDir}/holdfast.lock`, "");
        await fill(disk);
        const hello = await agent.drop(HELLO);
        await agent.started();
        assert.match(await storeTrouble(agent) ?? "none", says);
        await agent.settled(hello, { phases: ["Receiving"], where: isFull });
        await disk.free();
        await goesOn(agent, hello);
      }),
  });
}

function isFull({ reason }: { readonly reason: string }): boolean {
  return reason === "DiskFull" || reason === "NotEnoughSpace";
}
