import assert from "node:assert/strict";
import { createLogger, digestOf, silentLogger } from "../std/mod.ts";
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

function verdict(file: string, change: Partial<Verdict> = {}): Verdict {
  return {
    file,
    node: "node-1",
    package: {
      name: "web",
      version: "1.0.0",
      architecture: "amd64",
      digest: digestOf("web"),
      signature: "Unsigned",
    },
    phase: "Ready",
    reason: "Ready",
    message: "everything runs",
    components: [],
    progress: { bytes: 10, totalBytes: 10 },
    ...change,
  };
}

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
