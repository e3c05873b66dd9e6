import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import {
  dirname,
  type DurableFs,
  ensureDir,
  removeQuietly,
  removeUnfinished,
  systemFs,
  writeFileAtomic,
} from "./durable.ts";

/** The real file system, with every call written down and some of them failing. */
function tracing(dir: string, failing: Partial<DurableFs> = {}) {
  const trace: string[] = [];
  const short = (path: string) =>
    path.replace(dir, "").replace(/[0-9a-f]{8}\.tmp$/, "*.tmp") || "/";
  const fs: DurableFs = {
    fsyncFile: (path) => {
      trace.push(`fsync ${short(path)}`);
      (failing.fsyncFile ?? systemFs.fsyncFile)(path);
    },
    fsyncDir: (path) => {
      trace.push(`fsync directory ${short(path)}`);
      (failing.fsyncDir ?? systemFs.fsyncDir)(path);
    },
    rename: (from, to) => {
      trace.push(`rename ${short(from)} ${short(to)}`);
      (failing.rename ?? systemFs.rename)(from, to);
    },
    writeNew: (path, bytes) => {
      trace.push(`write ${short(path)}`);
      (failing.writeNew ?? systemFs.writeNew)(path, bytes);
    },
    mkdir: (path, mode) => {
      trace.push(`make directory ${short(path)}`);
      (failing.mkdir ?? systemFs.mkdir)(path, mode);
    },
    remove: (path) => {
      trace.push(`remove ${short(path)}`);
      (failing.remove ?? systemFs.remove)(path);
    },
  };
  return { fs, trace };
}

const names = (dir: string) => [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();

Deno.test("a file is written, flushed, renamed and its name flushed, in this order", () =>
  withDirectory((dir) => {
    const { fs, trace } = tracing(dir);
    writeFileAtomic(`${dir}/state.json`, "new", { fs });
    assert.deepEqual(trace, [
      "write /state.json.*.tmp",
      "fsync /state.json.*.tmp",
      "rename /state.json.*.tmp /state.json",
      "fsync directory /",
    ]);
    assert.equal(Deno.readTextFileSync(`${dir}/state.json`), "new");
    assert.deepEqual(names(dir), ["state.json"]);
  }));

Deno.test("bytes are written as they are, over what was there", () =>
  withDirectory((dir) => {
    writeFileAtomic(`${dir}/blob`, "a longer content than the next");
    writeFileAtomic(`${dir}/blob`, new Uint8Array([0, 255, 10]));
    assert.deepEqual([...Deno.readFileSync(`${dir}/blob`)], [0, 255, 10]);
  }));

const failures: readonly [string, Partial<DurableFs>][] = [
  ["writing", {
    writeNew: (path, bytes) => {
      Deno.writeFileSync(path, bytes.subarray(0, 1));
      throw new Error("no space left on device (os error 28)");
    },
  }],
  ["flushing", {
    fsyncFile() {
      throw new Error("input/output error (os error 5)");
    },
  }],
  ["renaming", {
    rename() {
      throw new Error("read-only file system (os error 30)");
    },
  }],
];

for (const [what, failing] of failures) {
  Deno.test(`when ${what} fails the old content is kept and nothing is left beside it`, () =>
    withDirectory((dir) => {
      Deno.writeTextFileSync(`${dir}/state`, "old");
      const { fs, trace } = tracing(dir, failing);
      assert.throws(() => writeFileAtomic(`${dir}/state`, "new", { fs }), /os error/);
      assert.equal(Deno.readTextFileSync(`${dir}/state`), "old");
      assert.deepEqual(names(dir), ["state"]);
      assert(!trace.includes("fsync directory /"));
    }));
}

Deno.test("when the directory cannot be flushed the caller is told, though the file is there", () =>
  withDirectory((dir) => {
    const { fs } = tracing(dir, {
      fsyncDir() {
        throw new Error("input/output error (os error 5)");
      },
    });
    assert.throws(() => writeFileAtomic(`${dir}/state`, "new", { fs }), /os error 5/);
    assert.equal(Deno.readTextFileSync(`${dir}/state`), "new");
  }));

/** Writes `new` over `old` in a process that is killed at `place`. */
async function killedWhileWriting(path: string, place: string): Promise<Deno.CommandStatus> {
  const module = JSON.stringify(import.meta.resolve("./durable.ts"));
  const script = `import { writeFileAtomic } from ${module};
    writeFileAtomic(${JSON.stringify(path)}, "new", { name: "status" });`;
  return await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", script],
    env: { HOLDFAST_FAILPOINT: place },
    stdout: "null",
  }).spawn().status;
}

const kills: readonly [string, string, string | null][] = [
  ["status.written", "old", "SIGKILL"],
  ["status.renamed", "new", "SIGKILL"],
  ["status.synced", "new", "SIGKILL"],
  ["file.written", "new", null],
];

for (const [place, content, signal] of kills) {
  Deno.test(`a process that may be killed at ${place} leaves the ${content} content, whole`, () =>
    withDirectory(async (dir) => {
      const path = `${dir}/state`;
      Deno.writeTextFileSync(path, "old");
      assert.equal((await killedWhileWriting(path, place)).signal, signal);
      assert.equal(Deno.readTextFileSync(path), content);
      writeFileAtomic(path, "newer");
      assert.equal(Deno.readTextFileSync(path), "newer", "the next write is not in the way");
    }));
}

Deno.test("a directory is made with its parents, and each name is flushed, outermost first", () =>
  withDirectory((dir) => {
    const { fs, trace } = tracing(dir);
    ensureDir(`${dir}/a/b/c`, fs);
    assert(Deno.statSync(`${dir}/a/b/c`).isDirectory);
    assert.deepEqual(trace, [
      "make directory /a",
      "fsync directory /",
      "make directory /a/b",
      "fsync directory /a",
      "make directory /a/b/c",
      "fsync directory /a/b",
    ]);
  }));

Deno.test("a failing file system is not passed by when directories are made or things removed", () =>
  withDirectory((dir) => {
    const { fs } = tracing(dir, {
      mkdir() {
        throw new Error("read-only file system (os error 30)");
      },
      remove() {
        throw new Error("read-only file system (os error 30)");
      },
    });
    Deno.writeTextFileSync(`${dir}/a.json.0123abcd.tmp`, "x");
    assert.throws(() => ensureDir(`${dir}/a`, fs), /os error 30/);
    removeQuietly(`${dir}/a.json.0123abcd.tmp`, fs);
    removeUnfinished(dir, ".json", fs);
    assert.deepEqual(names(dir), ["a.json.0123abcd.tmp"]);
  }));

Deno.test("a directory that is there is left alone", () =>
  withDirectory((dir) => {
    const { fs, trace } = tracing(dir);
    ensureDir(dir, fs);
    ensureDir("/", fs);
    assert.deepEqual(trace, []);
  }));

Deno.test("a file where a directory is wanted is a failure, not a success", () =>
  withDirectory((dir) => {
    Deno.writeTextFileSync(`${dir}/file`, "");
    assert.throws(() => ensureDir(`${dir}/file`), Deno.errors.AlreadyExists);
    assert.throws(() => ensureDir(`${dir}/file/below`), /os error 20|Not a directory/i);
  }));

Deno.test("removing takes trees and single files and does not mind what is gone", () =>
  withDirectory((dir) => {
    Deno.mkdirSync(`${dir}/tree/below`, { recursive: true });
    Deno.writeTextFileSync(`${dir}/tree/below/file`, "");
    Deno.writeTextFileSync(`${dir}/single`, "");
    for (const name of ["tree", "single", "gone"]) removeQuietly(`${dir}/${name}`);
    assert.deepEqual(names(dir), []);
  }));

const directories: readonly [string, string][] = [
  ["/a/b", "/a"],
  ["/a", "/"],
  ["/", "/"],
  ["a/b/c", "a/b"],
  ["a", "."],
];

for (const [path, directory] of directories) {
  Deno.test(`the directory of ${path} is ${directory}`, () => {
    assert.equal(dirname(path), directory);
  });
}

Deno.test("what a killed writer left of the named files is removed, and nothing else", () =>
  withDirectory((dir) => {
    const kept = ["a.json", "b.json.tmp", "c.txt.0123abcd.tmp", "d.json.0123ABCD.tmp", "e.tmp"];
    for (const name of [...kept, "a.json.0123abcd.tmp", "b.json.89ef4567.tmp"]) {
      Deno.writeTextFileSync(`${dir}/${name}`, "x");
    }
    removeUnfinished(dir, ".json");
    assert.deepEqual(names(dir), kept);
    removeUnfinished(`${dir}/nowhere`, ".json");
  }));

Deno.test("an unfinished file of the real writer is known by its name", () =>
  withDirectory((dir) => {
    const { fs } = tracing(dir, {
      rename: () => {
        throw new Error("killed here");
      },
    });
    const kept: DurableFs = {
      ...fs,
      writeNew: (path, bytes) => {
        systemFs.writeNew(path, bytes);
        Deno.linkSync(path, `${dir}/kept`);
        Deno.writeTextFileSync(`${dir}/name`, path);
      },
    };
    assert.throws(() => writeFileAtomic(`${dir}/a.json`, "x", { fs: kept }));
    // As a kill would have left it: the writer's own clean-up undone.
    Deno.renameSync(`${dir}/kept`, Deno.readTextFileSync(`${dir}/name`));
    removeUnfinished(dir, ".json");
    assert.deepEqual(names(dir), ["name"]);
  }));
