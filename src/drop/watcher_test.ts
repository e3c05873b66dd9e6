import assert from "node:assert/strict";
import { stat as statBig } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type Stage, staged } from "../../test/fakes/drop_stage.ts";
import { AwakeClock, eventually, withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { systemClock } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { parseOutcome } from "./outcome.ts";
import { REFUSE_TIME, SETTLE_TIME, SETTLE_TIME_AGAIN } from "./settle.ts";
import { MAX_RETRY_PAUSE } from "./attempts.ts";
import { DROP_FAILPOINTS, DropWatcher, IDLE_INTERVAL } from "./watcher.ts";

const GOOD = buildPackage({ name: "web" });

Deno.test("a file is read once it has not changed for a while, and is then in the store", () =>
  staged(async (stage) => {
    stage.put("web.tar.zst", GOOD);
    assert.equal(await stage.look(), true);
    assert.equal(await stage.look(SETTLE_TIME - 1), true);
    assert.deepEqual(stage.said("web.tar.zst"), ["Receiving BeingCopied"]);
    assert.equal(await stage.look(1), false, "there is nothing more to do");
    assert.deepEqual(stage.said("web.tar.zst"), [
      "Receiving BeingCopied",
      "Receiving Reading",
      "Accepted",
    ]);
    const [record] = stage.store.records.listPackages();
    assert.deepEqual([record?.name, record?.state], ["web", "accepted"]);
    assert.equal(stage.store.records.images(record?.digest ?? "sha256:").length, 1);
  }));

Deno.test("a file that is still written to is not read", () =>
  staged(async (stage) => {
    const parts = [0, 300, 600, 900].map((from) => GOOD.subarray(0, from + 300));
    for (const part of parts) {
      stage.put("web.tar.zst", part);
      await stage.look(SETTLE_TIME - 1);
    }
    assert.deepEqual(stage.said("web.tar.zst"), parts.map(() => "Receiving BeingCopied"));
    assert.deepEqual(stage.seen.map(({ size }) => size), parts.map((part) => part.length));
    stage.put("web.tar.zst", GOOD);
    await stage.look(5_000);
    await stage.look(SETTLE_TIME);
    assert.equal(stage.said("web.tar.zst").at(-1), "Accepted");
  }));

Deno.test("a half-copied file that paused is not refused when the rest comes in time", () =>
  staged(async (stage) => {
    stage.put("web.tar.zst", GOOD.subarray(0, 500));
    await stage.look();
    await stage.look(SETTLE_TIME);
    assert.equal(stage.said("web.tar.zst").at(-1), "Receiving Truncated");
    await stage.look(REFUSE_TIME - SETTLE_TIME - 1);
    stage.put("web.tar.zst", GOOD);
    await stage.look(1);
    await stage.look(SETTLE_TIME_AGAIN);
    assert.equal(stage.said("web.tar.zst").at(-1), "Accepted");
    assert(!stage.said("web.tar.zst").some((one) => one.startsWith("Rejected")));
  }));

Deno.test("a file that was read too early is read again only after a longer pause", () =>
  staged(async (stage) => {
    stage.put("web.tar.zst", GOOD.subarray(0, 500));
    await stage.look();
    await stage.look(SETTLE_TIME);
    for (const end of [700, 900, 1_100]) {
      stage.put("web.tar.zst", GOOD.subarray(0, end));
      await stage.look();
      await stage.look(SETTLE_TIME_AGAIN - 1);
    }
    const readings = () =>
      stage.said("web.tar.zst").filter((one) => one === "Receiving Reading").length;
    assert.equal(readings(), 1, "a slow copy costs one reading in vain");
    stage.put("web.tar.zst", GOOD);
    await stage.look();
    await stage.look(SETTLE_TIME_AGAIN);
    assert.equal(stage.said("web.tar.zst").at(-1), "Accepted");
    stage.put("web.tar.zst", buildPackage({ name: "web", version: "2.0.0" }));
    await stage.look();
    await stage.look(SETTLE_TIME);
    assert.equal(readings(), 3, "what came whole in the end is forgotten");
  }));

Deno.test("a file at fault is refused when it has not changed for longer, and read only once", () =>
  staged(async (stage) => {
    stage.put("bad.tar.zst", GOOD.subarray(0, 500));
    await stage.look();
    await stage.look(SETTLE_TIME);
    await stage.look(REFUSE_TIME - SETTLE_TIME);
    assert.equal(await stage.look(60_000), false);
    const said = stage.said("bad.tar.zst");
    assert.equal(said.at(-1), "Rejected Truncated");
    assert.equal(said.filter((one) => one === "Receiving Reading").length, 1);
    assert.equal(stage.log.lines.filter((line) => /package rejected/.test(line)).length, 1);
    assert.deepEqual(stage.store.records.listPackages(), []);
  }));

Deno.test("what is decided is known after a restart, without reading again", () =>
  staged(async (stage) => {
    stage.put("good.tar.zst", GOOD);
    stage.put("bad.tar.zst", GOOD.subarray(0, 500));
    await stage.look();
    await stage.look(SETTLE_TIME);
    await stage.look(REFUSE_TIME);
    stage.seen.length = 0;
    const again = stage.another();
    assert.equal(await stage.look(0, again), false);
    assert.deepEqual(stage.said("good.tar.zst"), ["Accepted"]);
    assert.deepEqual(stage.said("bad.tar.zst"), ["Rejected Truncated"]);
    await again.run(AbortSignal.abort());
  }));

Deno.test("a file of the same name with other content is another file", () =>
  staged(async (stage) => {
    stage.put("web.tar.zst", GOOD.subarray(0, 500));
    for (const after of [0, SETTLE_TIME, REFUSE_TIME]) await stage.look(after);
    assert.equal(stage.said("web.tar.zst").at(-1), "Rejected Truncated");
    stage.put("web.tar.zst", buildPackage({ name: "web", version: "2.0.0" }));
    for (const after of [0, SETTLE_TIME]) await stage.look(after);
    assert.equal(stage.said("web.tar.zst").at(-1), "Accepted");
    assert.deepEqual(stage.store.records.listPackages().map(({ version }) => version), ["2.0.0"]);
  }));

Deno.test("the same package under two names is one package", () =>
  staged(async (stage) => {
    stage.put("a.tar.zst", GOOD);
    stage.put("b.tar.zst", GOOD);
    for (const after of [0, SETTLE_TIME]) await stage.look(after);
    assert.deepEqual([stage.said("a.tar.zst").at(-1), stage.said("b.tar.zst").at(-1)], [
      "Accepted",
      "Accepted",
    ]);
    const [record] = stage.store.records.listPackages();
    const state = (name: "deploying" | "ready") =>
      stage.store.records.setPackageState(record?.digest ?? "sha256:", name, { message: "up" });
    state("deploying");
    stage.put("c.tar.zst", GOOD);
    for (const after of [0, SETTLE_TIME]) await stage.look(after);
    assert.equal(stage.said("c.tar.zst").at(-1), "Accepted");
    const all = stage.store.records.listPackages();
    assert.deepEqual(all.map(({ state, message }) => [state, message]), [["deploying", "up"]]);
    state("ready");
    stage.put("d.tar.zst", GOOD);
    for (const after of [0, SETTLE_TIME]) await stage.look(after);
    const anew = stage.store.records.listPackages();
    assert.deepEqual(anew.map(({ state }) => state), ["accepted"], "dropped again to be mended");
  }));

Deno.test("an older version that is dropped again is accepted anew", () =>
  staged(async (stage) => {
    const versions = ["1.0.0", "2.0.0", "1.0.0"];
    for (const [at, version] of versions.entries()) {
      stage.put(`${at}.tar.zst`, buildPackage({ name: "web", version }));
      for (const after of [0, SETTLE_TIME]) await stage.look(after);
    }
    const bySequence = stage.store.records.listPackages()
      .sort((a, b) => a.sequence - b.sequence).map(({ version, state }) => [version, state]);
    assert.deepEqual(bySequence, [["2.0.0", "accepted"], ["1.0.0", "accepted"]]);
  }));

Deno.test("removing a file changes nothing, and dropping it again is nothing new", () =>
  staged(async (stage) => {
    stage.put("web.tar.zst", GOOD);
    for (const after of [0, SETTLE_TIME]) await stage.look(after);
    Deno.renameSync(`${stage.drop}/web.tar.zst`, `${stage.dir}/aside`);
    assert.equal(await stage.look(), false);
    assert.equal(stage.store.records.listPackages().length, 1);
    Deno.renameSync(`${stage.dir}/aside`, `${stage.drop}/web.tar.zst`);
    stage.seen.length = 0;
    await stage.look();
    assert.deepEqual(stage.said("web.tar.zst"), ["Accepted"]);
  }));

Deno.test("a failure that may pass is tried again, ever more slowly, until it passes", () =>
  staged(async (stage) => {
    stage.put("web.tar.zst", GOOD);
    // The worker cannot make its staging directory: the store says so, and it is no fault of the file.
    const tmp = `${stage.store.dir}/tmp`;
    Deno.removeSync(tmp, { recursive: true });
    Deno.writeTextFileSync(tmp, "in the way");
    await stage.look();
    await stage.look(SETTLE_TIME);
    const reads = () => stage.said("web.tar.zst").filter((one) => one.endsWith("Reading")).length;
    assert.equal(reads(), 1);
    await stage.look(900);
    assert.equal(reads(), 1, "the first pause is at least a second");
    for (let look = 0; look < 40; look++) await stage.look(10_000);
    const tries = reads();
    assert(tries > 5 && tries < 15, `${tries} tries in 400 s`);
    assert(!stage.said("web.tar.zst").some((one) => one.startsWith("Rejected")));
    assert(stage.log.lines.some((line) => /could not be taken in and is tried again/.test(line)));
    Deno.removeSync(tmp);
    Deno.mkdirSync(tmp);
    assert.equal(await stage.look(MAX_RETRY_PAUSE), false);
    assert.equal(stage.said("web.tar.zst").at(-1), "Accepted");
  }));

Deno.test("a drop directory that is not there is said once, and found when it comes", () =>
  staged(async (stage) => {
    Deno.removeSync(stage.drop);
    const about = () => stage.log.lines.filter((line) => /drop directory is not there/.test(line));
    for (let look = 0; look < 3; look++) assert.equal(await stage.look(1_000), false);
    assert.equal(about().length, 1);
    Deno.mkdirSync(stage.drop);
    stage.put("web.tar.zst", GOOD);
    for (const after of [0, SETTLE_TIME]) await stage.look(after);
    assert.equal(stage.said("web.tar.zst").at(-1), "Accepted");
    Deno.removeSync(stage.drop, { recursive: true });
    await stage.look();
    assert.equal(about().length, 2, "it is said again when it goes again");
  }));

Deno.test("a drop directory that cannot be read does not keep the others from being looked at", () =>
  staged(async (stage) => {
    Deno.writeTextFileSync(`${stage.dir}/file`, "no directory");
    stage.put("web.tar.zst", GOOD);
    const watcher = stage.another([`${stage.dir}/file`, stage.drop]);
    for (const after of [0, SETTLE_TIME]) await stage.look(after, watcher);
    assert.equal(stage.said("web.tar.zst").at(-1), "Accepted");
    assert.equal(
      stage.log.lines.filter((line) => /drop directory cannot be read/.test(line)).length,
      1,
    );
    await watcher.run(AbortSignal.abort());
  }));

Deno.test("each thing is said once, however often one looks", () =>
  staged(async (stage) => {
    stage.put("web.tar.zst", GOOD);
    for (let look = 0; look < 5; look++) await stage.look(SETTLE_TIME / 10);
    assert.equal(stage.seen.length, 1);
    for (let look = 0; look < 5; look++) await stage.look(SETTLE_TIME);
    assert.equal(stage.seen.length, 3);
    assert.equal(stage.seen[0]?.size, GOOD.length);
  }));

Deno.test("running it takes a file in by itself, and ends with its signal", () =>
  staged(async (stage) => {
    const abort = new AbortController();
    const watcher = new DropWatcher({
      directories: [stage.drop],
      store: stage.store,
      architecture: "amd64",
      trust: [],
      logger: stage.log.logger,
      onChange: (file) => void stage.seen.push(file),
      clock: systemClock,
    });
    const running = watcher.run(abort.signal);
    await new Promise((resolve) => setTimeout(resolve, 100));
    using clock = new AwakeClock();
    stage.put(".web.tar.zst", GOOD);
    Deno.renameSync(`${stage.drop}/.web.tar.zst`, `${stage.drop}/web.tar.zst`);
    await eventually(() => stage.said("web.tar.zst").at(-1) === "Accepted");
    assert(clock.monotonic() < 4_500, "the event wakes it before its next look");
    abort.abort();
    await running;
  }));

Deno.test("a file that may be whole is looked at as soon as it is taken to be", () =>
  staged(async (stage) => {
    stage.put("web.tar.zst", GOOD);
    const abort = new AbortController();
    const running = stage.watcher.run(abort.signal);
    await eventually(() => stage.said("web.tar.zst").at(-1) === "Accepted");
    abort.abort();
    await running;
    assert.deepEqual(stage.clock.slept.slice(0, 2), [SETTLE_TIME, IDLE_INTERVAL]);
  }));

const CHILD = fileURLToPath(import.meta.resolve("./watcher_test_child.ts"));

async function takeIn(dir: string, failpoint?: string): Promise<Deno.CommandStatus> {
  return await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", CHILD, `${dir}/data`, `${dir}/drop`],
    env: failpoint === undefined ? {} : { HOLDFAST_FAILPOINT: failpoint },
    stdout: "null",
    stderr: "inherit",
  }).spawn().status;
}

for (const name of DROP_FAILPOINTS) {
  Deno.test(`killed at ${name} and started again, the package is in the store once`, () =>
    withDirectory(async (dir) => {
      Deno.mkdirSync(`${dir}/drop`);
      Deno.writeFileSync(`${dir}/drop/web.tar.zst`, GOOD);
      assert.equal((await takeIn(dir, name)).signal, "SIGKILL", `${name} was not passed`);
      assert.equal((await takeIn(dir)).code, 0);
      using store = Store.open(`${dir}/data`);
      assert.deepEqual(store.records.listPackages().map(({ name }) => name), ["web"]);
      const [drop] = store.records.listDrops();
      assert.equal(parseOutcome(drop?.outcome)?.phase, "Accepted");
      assert.deepEqual([...Deno.readDirSync(`${dir}/data/tmp`)], []);
    }));
}

/** A package that was accepted from a file, of which the store has lost every blob. */
async function damaged(stage: Stage): Promise<void> {
  stage.put("web.tar.zst", GOOD);
  await stage.look();
  await stage.look(SETTLE_TIME);
  for (const digest of [...stage.store.blobs.list()]) stage.store.blobs.quarantine(digest);
  assert(stage.store.findDamage().packages.size === 1);
}

Deno.test("what the store lost of a package is read from its file again, and nothing else is said", () =>
  staged(async (stage) => {
    await damaged(stage);
    const [before] = stage.store.records.listPackages();
    const said = stage.seen.length;
    assert.equal(await stage.look(), false);
    assert.equal(stage.seen.length, said);
    assert.equal(stage.store.damage.packages.size, 0);
    for (const digest of stage.store.blobs.list()) assert(stage.store.blobs.verify(digest));
    assert.deepEqual(stage.store.records.listPackages(), [before]);
    assert(stage.log.lines.some((line) => line.includes("read again")));
    // An agent that starts anew finds the damage by itself.
    for (const digest of [...stage.store.blobs.list()]) stage.store.blobs.quarantine(digest);
    stage.store.findDamage();
    const next = stage.another();
    await stage.look(0, next);
    await next.run(AbortSignal.abort());
    assert.equal(stage.store.findDamage().packages.size, 0);
  }));

Deno.test("a file that cannot repair its package stays accepted, and is not read for ever", () =>
  staged(async (stage) => {
    await damaged(stage);
    // Other bytes, though nothing else tells: a stick that rots.
    const { mtime } = Deno.statSync(`${stage.drop}/web.tar.zst`);
    const file = Deno.openSync(`${stage.drop}/web.tar.zst`, { write: true });
    file.seekSync(GOOD.length - 30, Deno.SeekMode.Start);
    file.writeSync(new Uint8Array(8));
    file.close();
    Deno.utimeSync(`${stage.drop}/web.tar.zst`, mtime ?? 0, mtime ?? 0);
    stage.store.records.putDrop({
      ...stage.store.records.getDrop(`${stage.drop}/web.tar.zst`) ?? assert.fail(),
      mtimeNs: (await statBig(`${stage.drop}/web.tar.zst`, { bigint: true })).mtimeNs,
    });
    for (let looks = 0; looks < 5; looks++) await stage.look(MAX_RETRY_PAUSE);
    assert.equal(stage.said("web.tar.zst").at(-1), "Accepted");
    assert(!stage.said("web.tar.zst").some((one) => one.startsWith("Rejected")));
    assert.equal(stage.store.damage.packages.size, 1);
    assert.equal(stage.store.records.listPackages().length, 1);
  }));

Deno.test("blobs that a refused package left go with the refusal", () =>
  staged(async (stage) => {
    const kept: unknown[] = [];
    const { collector } = stage.store;
    const discard = collector.discard.bind(collector);
    collector.discard = (digests) => {
      kept.push([...digests]);
      discard(digests);
    };
    stage.put("bad.tar.zst", buildPackage({ architecture: "arm64" }));
    await stage.look();
    await stage.look(REFUSE_TIME);
    await stage.look(REFUSE_TIME);
    assert.equal(stage.said("bad.tar.zst").at(-1), "Rejected ArchitectureMismatch");
    assert.deepEqual(kept, [[]], "once, of what its reader had published");
    assert.deepEqual([...stage.store.blobs.list()], []);
  }));

Deno.test("fields that Zarf does not know are said in the log, and refuse nothing", () =>
  staged(async (stage) => {
    const definition = (value: { components: Record<string, unknown>[] }) =>
      void ((value.components[0] ?? {})["manifets"] = []);
    stage.put("web.tar.zst", buildPackage({ name: "web", hooks: { definition } }));
    await stage.look();
    await stage.look(SETTLE_TIME);
    assert.equal(stage.said("web.tar.zst").at(-1), "Accepted");
    const said = stage.log.lines.filter((line) => line.includes("fields that Zarf does not know"));
    assert.equal(said.length, 1);
    assert.match(said[0] ?? "", /components\[0\]\.manifets/);
  }));

Deno.test("what an older agent refused for a newer Zarf is read again by a newer one", () =>
  staged(async (stage) => {
    const needs = (version: string) =>
      buildPackage({
        name: "web",
        hooks: {
          definition: ({ build }) => void (build["versionRequirements"] = [{ version }]),
        },
      });
    stage.put("web.tar.zst", needs("v99.0.0"));
    for (let looks = 0; looks < 3; looks++) await stage.look(REFUSE_TIME);
    assert.equal(stage.said("web.tar.zst").at(-1), "Rejected UnsupportedZarfVersion");
    const path = `${stage.drop}/web.tar.zst`;
    const drop = stage.store.records.getDrop(path) ?? assert.fail();
    const reads = () => stage.said("web.tar.zst").filter((one) => one.endsWith("Reading")).length;
    const before = reads();
    await stage.look(REFUSE_TIME);
    assert.equal(reads(), before);
    // As an agent that was compatible with an older Zarf has left it.
    const outcome = { ...parseOutcome(drop.outcome), keys: "v0.10.0" };
    stage.store.records.putDrop({ ...drop, outcome });
    await stage.look(REFUSE_TIME);
    assert.equal(reads(), before + 1);
  }));
