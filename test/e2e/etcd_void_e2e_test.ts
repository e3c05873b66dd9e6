import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { isVoid, removeVoid } from "../../src/agent/mod.ts";
import { exec } from "../../src/std/mod.ts";
import { freeAddress } from "../fakes/free_address.ts";
import { eventually, withDirectory } from "../fakes/testing.ts";

/*
 * What an etcd leaves that is cut off before it decided anything, as etcd's own code writes it: that it
 * is told from every other log, and that the real etcd goes on only when it is gone.
 */

const TIMEOUT = 30_000;
/** How long an etcd is given to find that it has no members; with one it is there at once. */
const STUCK = 4_000;
/** Milliseconds for one answer: of its health an etcd without members says nothing. */
const ANSWER = 1_000;
const CLIENT = `http://${freeAddress()}`;
const PEER = `http://${freeAddress()}`;

/** A log up to a place. */
async function logOf(directory: string, place: string): Promise<string> {
  const { code, stderr } = await exec(await ensureTool(TOOLS.etcdWal), {
    args: [directory, place],
    env: {},
    timeout: TIMEOUT,
  });
  assert.equal(code, 0, stderr);
  return `${directory}/member/wal/0000000000000000-0000000000000000.wal`;
}

Deno.test("only a log in which nothing was decided is void", async () => {
  const places = { void: true, state: false, entry: false, snapshot: false };
  for (const [place, expected] of Object.entries(places)) {
    await withDirectory(async (dir) => {
      await logOf(dir, place);
      assert.equal(isVoid(dir), expected, place);
    });
  }
});

Deno.test("what else may lie there is void only when no etcd can have decided it", async () => {
  const cases: readonly [string, boolean, (dir: string, log: string) => void][] = [
    ["no log yet", true, (dir) => Deno.removeSync(`${dir}/member/wal`, { recursive: true })],
    ["a log that has no name yet", true, (dir) => {
      Deno.renameSync(`${dir}/member/wal`, `${dir}/member/wal.tmp`);
    }],
    ["nothing of a member", true, (dir) => Deno.removeSync(`${dir}/member`, { recursive: true })],
    ["only what is on its way out", true, (dir) => {
      Deno.renameSync(`${dir}/member`, `${dir}/.holdfast-void`);
    }],
    ["a database beside it", true, (dir) => Deno.writeTextFileSync(`${dir}/member/snap/db`, "x")],
    ["a snapshot", false, (dir) => Deno.writeTextFileSync(`${dir}/member/snap/1-1.snap`, "x")],
    ["a second log", false, (_dir, log) => Deno.copyFileSync(log, `${log.slice(0, -5)}1.wal`)],
    ["something else", false, (dir) => Deno.writeTextFileSync(`${dir}/backup`, "x")],
    ["a log of another form", false, (_dir, log) => Deno.writeTextFileSync(log, "no log of etcd")],
    ["an unknown record", false, (_dir, log) => change(log, 9, 7)],
    ["a record that is longer than the file", false, (_dir, log) => change(log, 3, 1)],
  ];
  for (const [what, expected, alter] of cases) {
    await withDirectory(async (dir) => {
      alter(dir, await logOf(dir, "void"));
      assert.equal(isVoid(dir), expected, what);
    });
  }
  assert.equal(isVoid("/nowhere"), false, "no directory");
});

/** Puts one byte into a file. */
function change(path: string, at: number, byte: number): void {
  using file = Deno.openSync(path, { write: true });
  file.seekSync(at, Deno.SeekMode.Start);
  file.writeSync(Uint8Array.of(byte));
}

Deno.test("the real etcd waits for ever on a void log, and begins when it is gone", async () => {
  await withDirectory(async (dir) => {
    await Deno.chmod(dir, 0o700);
    await logOf(dir, "void");
    {
      await using stuck = await etcd(dir, "existing");
      assert.equal(await stuck.endedWithin(STUCK), false);
      assert.equal(await isHealthy(), false);
      assert(isVoid(dir), "it has written nothing meanwhile");
      // As on a node, where it runs on.
      removeVoid(dir);
    }
    assert.deepEqual([...Deno.readDirSync(dir)], []);
    await using _etcd = await etcd(dir, "new");
    await eventually(isHealthy, TIMEOUT);
    assert.equal(isVoid(dir), false);
  });
});

interface Etcd extends AsyncDisposable {
  endedWithin(ms: number): Promise<boolean>;
}

async function etcd(directory: string, state: "new" | "existing"): Promise<Etcd> {
  const process = new Deno.Command(await ensureTool(TOOLS.etcd), {
    args: [
      ...["--name=one", `--data-dir=${directory}`, `--initial-cluster-state=${state}`],
      ...(state === "new" ? [`--initial-cluster=one=${PEER}`] : []),
      ...[`--listen-client-urls=${CLIENT}`, `--advertise-client-urls=${CLIENT}`],
      ...[`--listen-peer-urls=${PEER}`, `--initial-advertise-peer-urls=${PEER}`],
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  return {
    endedWithin: async (ms) => {
      const over = AbortSignal.timeout(ms);
      const timer = new Promise<false>((resolve) => {
        over.addEventListener("abort", () => resolve(false), { once: true });
      });
      return await Promise.race([process.status.then(() => true), timer]);
    },
    async [Symbol.asyncDispose]() {
      process.kill("SIGKILL");
      await process.status;
    },
  };
}

async function isHealthy(): Promise<boolean> {
  try {
    const signal = AbortSignal.timeout(ANSWER);
    const response = await fetch(`${CLIENT}/health`, { signal });
    return (await response.text()).includes('"health":"true"');
  } catch {
    return false;
  }
}
