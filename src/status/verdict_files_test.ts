import assert from "node:assert/strict";
import { Faults } from "../../test/fakes/faults.ts";
import { loggerOf } from "../../test/fakes/testing.ts";
import { verdict as readyVerdict } from "../../test/fakes/verdicts.ts";
import { createLogger, silentLogger, systemFs } from "../std/mod.ts";
import type { Verdict } from "./verdict.ts";
import { VERDICT_SUFFIX, VerdictFiles } from "./verdict_files.ts";

async function withDirectories(action: (drop: string, data: string) => Promise<void>) {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/drop`);
    await Deno.mkdir(`${root}/data`);
    await action(`${root}/drop`, `${root}/data`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

const verdict = (file: string, change: Partial<Verdict> = {}) => readyVerdict({ file, ...change });

const read = async (path: string) => JSON.parse(await Deno.readTextFile(path));

Deno.test("a verdict stands beside its file and under the data directory", () =>
  withDirectories(async (drop, data) => {
    const at = new Date("2026-01-02T03:04:05Z");
    const files = new VerdictFiles(data, silentLogger, () => at);
    files.write(verdict(`${drop}/web.tar.zst`));
    const beside = await read(`${drop}/web.tar.zst${VERDICT_SUFFIX}`);
    assert.equal(beside.apiVersion, "holdfast.dev/v1alpha1");
    assert.equal(beside.kind, "PackageStatus");
    assert.equal(beside.phase, "Ready");
    assert.equal(beside.observedAt, "2026-01-02T03:04:05.000Z");
    assert.deepEqual(await read(`${data}/status/web.tar.zst${VERDICT_SUFFIX}`), beside);
  }));

Deno.test("a verdict that says the same is not written again", () =>
  withDirectories(async (drop, data) => {
    const files = new VerdictFiles(data, silentLogger);
    const file = `${drop}/web.tar.zst`;
    files.write(verdict(file));
    await Deno.remove(file + VERDICT_SUFFIX);
    files.write(verdict(file));
    await assert.rejects(Deno.stat(file + VERDICT_SUFFIX), Deno.errors.NotFound);
    files.write(verdict(file, { phase: "Failed" }));
    assert.equal((await read(file + VERDICT_SUFFIX)).phase, "Failed");
  }));

Deno.test("a forgotten file is written again", () =>
  withDirectories(async (drop, data) => {
    const files = new VerdictFiles(data, silentLogger);
    const file = `${drop}/web.tar.zst`;
    files.write(verdict(file));
    await Deno.remove(file + VERDICT_SUFFIX);
    files.forget(file);
    files.write(verdict(file));
    assert.equal((await read(file + VERDICT_SUFFIX)).phase, "Ready");
  }));

Deno.test("where the drop directory is gone the verdict is kept, and that is said once", () =>
  withDirectories(async (drop, data) => {
    const lines: string[] = [];
    const logger = createLogger({
      level: "info",
      format: "text",
      write: (line) => void lines.push(line),
    });
    const files = new VerdictFiles(data, logger);
    await Deno.remove(drop);
    files.write(verdict(`${drop}/web.tar.zst`));
    files.write(verdict(`${drop}/web.tar.zst`, { phase: "Failed" }));
    assert.equal((await read(`${data}/status/web.tar.zst${VERDICT_SUFFIX}`)).phase, "Failed");
    assert.equal(lines.length, 1, lines.join(""));
  }));

Deno.test("no temporary file is left, neither after success nor after failure", () =>
  withDirectories(async (drop, data) => {
    const files = new VerdictFiles(data, silentLogger);
    files.write(verdict(`${drop}/web.tar.zst`));
    await Deno.mkdir(`${drop}/taken.tar${VERDICT_SUFFIX}/inner`, { recursive: true });
    files.write(verdict(`${drop}/taken.tar`));
    const names = [...Deno.readDirSync(drop)].map((entry) => entry.name).sort();
    assert.deepEqual(names, [`taken.tar${VERDICT_SUFFIX}`, `web.tar.zst${VERDICT_SUFFIX}`]);
  }));

Deno.test("what a killed run left of a verdict goes away with the first new one", () =>
  withDirectories(async (drop, data) => {
    await Deno.mkdir(`${data}/status`);
    for (const directory of [drop, `${data}/status`]) {
      await Deno.writeTextFile(`${directory}/old.tar${VERDICT_SUFFIX}.0123abcd.tmp`, "{");
      await Deno.writeTextFile(`${directory}/other.0123abcd.tmp`, "somebody else's");
    }
    new VerdictFiles(data, silentLogger).write(verdict(`${drop}/web.tar.zst`));
    for (const directory of [drop, `${data}/status`]) {
      assert.deepEqual([...Deno.readDirSync(directory)].map((entry) => entry.name).sort(), [
        "other.0123abcd.tmp",
        `web.tar.zst${VERDICT_SUFFIX}`,
      ]);
    }
  }));

Deno.test("a verdict that could not be kept is kept the next time that it is said", () =>
  withDirectories(async (drop, data) => {
    const { logger, lines } = loggerOf();
    const files = new VerdictFiles(data, logger);
    const file = `${drop}/web.tar.zst`;
    // Something stands where the directory of verdicts should be, as after a damaged disk.
    await Deno.writeTextFile(`${data}/status`, "no directory");
    for (let said = 0; said < 3; said++) files.write(verdict(file));
    assert.equal(lines.length, 1, "and it is told once, not at every attempt");
    assert.match(lines[0] ?? "", /^error a verdict could not be kept: .*web\.tar\.zst/);
    await Deno.remove(`${data}/status`);
    files.write(verdict(file));
    assert.equal((await read(`${data}/status/web.tar.zst${VERDICT_SUFFIX}`)).phase, "Ready");
    assert.equal((await read(file + VERDICT_SUFFIX)).phase, "Ready");
  }));

Deno.test("a verdict that could not be written beside its file is, when that works again", () =>
  withDirectories(async (drop, data) => {
    const { logger, lines } = loggerOf();
    const files = new VerdictFiles(data, logger);
    const file = `${drop}/web.tar.zst`;
    await Deno.mkdir(`${file}${VERDICT_SUFFIX}/inner`, { recursive: true });
    files.write(verdict(file));
    files.write(verdict(file));
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /^warn {2}a verdict could not be written beside its file: /);
    await Deno.remove(file + VERDICT_SUFFIX, { recursive: true });
    files.write(verdict(file));
    assert.equal((await read(file + VERDICT_SUFFIX)).phase, "Ready");
    await Deno.remove(file + VERDICT_SUFFIX);
    files.write(verdict(file));
    await assert.rejects(Deno.stat(file + VERDICT_SUFFIX), Deno.errors.NotFound);
  }));

Deno.test("where the drop directory is gone, a verdict that is kept is not written again and again", () =>
  withDirectories(async (drop, data) => {
    const files = new VerdictFiles(data, silentLogger);
    await Deno.remove(drop);
    files.write(verdict(`${drop}/web.tar.zst`));
    const kept = `${data}/status/web.tar.zst${VERDICT_SUFFIX}`;
    const { ino } = await Deno.stat(kept);
    files.write(verdict(`${drop}/web.tar.zst`));
    assert.equal((await Deno.stat(kept)).ino, ino);
  }));

Deno.test("a drop directory that can be written again is told of again when it fails again", () =>
  withDirectories(async (drop, data) => {
    const { logger, lines } = loggerOf();
    const files = new VerdictFiles(data, logger);
    for (const [round, phase] of (["Receiving", "Accepted", "Ready"] as const).entries()) {
      if (round % 2 === 0) await Deno.remove(drop, { recursive: true });
      else await Deno.mkdir(drop);
      files.write(verdict(`${drop}/web.tar.zst`, { phase }));
    }
    const warning =
      "warn  the drop directory cannot be written; verdicts are under the data directory only";
    assert.deepEqual(lines.map((line) => line.split(" directory=")[0]), [warning, warning]);
  }));

Deno.test("files of several directories have verdicts of their own", () =>
  withDirectories(async (drop, data) => {
    const files = new VerdictFiles(data, silentLogger);
    await Deno.mkdir(`${drop}/b`);
    files.write(verdict(`${drop}/a.tar`));
    files.write(verdict(`${drop}/b/c.tar`, { phase: "Rejected" }));
    files.forget(`${drop}/a.tar`);
    assert.equal((await read(`${drop}/a.tar${VERDICT_SUFFIX}`)).phase, "Ready");
    assert.equal((await read(`${drop}/b/c.tar${VERDICT_SUFFIX}`)).phase, "Rejected");
    assert.deepEqual([...Deno.readDirSync(`${data}/status`)].map(({ name }) => name).sort(), [
      `a.tar${VERDICT_SUFFIX}`,
      `c.tar${VERDICT_SUFFIX}`,
    ]);
  }));

Deno.test("files of one name in two folders have a verdict each under the data directory", () =>
  withDirectories(async (drop, data) => {
    const files = new VerdictFiles(data, silentLogger);
    const paths = [`${drop}/web.tar`, `${drop}/deep/web.tar`, `${drop}/other/web.tar`];
    for (const path of [...paths, ...paths]) files.write(verdict(path));
    for (const path of paths) files.write(verdict(path, { phase: "Failed" }));
    const kept = [...Deno.readDirSync(`${data}/status`)].map(({ name }) => name);
    assert.equal(kept.length, 3);
    assert(kept.includes(`web.tar${VERDICT_SUFFIX}`), "the first one has the plain name");
    const said = await Promise.all(kept.map((name) => read(`${data}/status/${name}`)));
    assert.deepEqual(said.map(({ file }) => file).sort(), [...paths].sort());
    assert(said.every(({ phase }) => phase === "Failed"));
  }));

for (const code of ["ENOSPC", "EIO"]) {
  Deno.test(`a verdict whose every call fails once with ${code} is the old one or the new, and is made good`, () =>
    withDirectories(async (drop, data) => {
      const file = `${drop}/web.tar.zst`;
      const places = [file + VERDICT_SUFFIX, `${data}/status/web.tar.zst${VERDICT_SUFFIX}`];
      const phases = async () => (await Promise.all(places.map(read))).map(({ phase }) => phase);
      const faults = new Faults();
      const { logger, lines } = loggerOf();
      const files = () => new VerdictFiles(data, logger, undefined, faults.over(systemFs));
      files().write(verdict(file));
      const calls = faults.calls.length;
      assert.ok(calls > 8, `${calls} calls`);
      for (let call = 1; call <= calls; call++) {
        files().write(verdict(file, { phase: "Accepted" }));
        lines.length = 0;
        const writer = files();
        faults.arm(call, () => Object.assign(new Error(`failed by the test: ${code}`), { code }));
        writer.write(verdict(file));
        const { failed } = faults;
        faults.disarm();
        if (failed === undefined) continue;
        assert.equal(lines.length, 1, `${failed} is told`);
        for (const phase of await phases()) assert.match(phase, /^(?:Accepted|Ready)$/);
        writer.write(verdict(file));
        assert.deepEqual(await phases(), ["Ready", "Ready"], `after ${failed}`);
        const names = [drop, `${data}/status`].flatMap((dir) => [...Deno.readDirSync(dir)]);
        assert.equal(names.length, places.length, `${failed} leaves nothing beside`);
      }
    }));
}
