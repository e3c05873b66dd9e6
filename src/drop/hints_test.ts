import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { systemClock } from "../std/mod.ts";
import { DirectoryHints } from "./hints.ts";

const inodeOf = async (path: string) => (await stat(path, { bigint: true })).ino;
const never = new AbortController().signal;
const LONG = 20_000;

/** Watches a new directory while `action` runs. */
function hinted(
  action: (hints: DirectoryHints, dir: string, lines: string[]) => Promise<void>,
): Promise<void> {
  return withDirectory(async (dir) => {
    const { logger, lines } = loggerOf();
    const hints = new DirectoryHints(logger);
    try {
      hints.watch(dir, await inodeOf(dir));
      await action(hints, dir, lines);
    } finally {
      hints.close();
    }
  });
}

/** How many milliseconds the wait took. */
async function waited(hints: DirectoryHints, ms: number, signal = never): Promise<number> {
  const started = performance.now();
  await hints.wait(ms, systemClock, signal);
  return performance.now() - started;
}

Deno.test("a file that appears wakes the waiter", () =>
  hinted(async (hints, dir) => {
    const waiting = waited(hints, LONG);
    await Deno.writeTextFile(`${dir}/a.tar`, "x");
    assert(await waiting < LONG / 2);
  }));

Deno.test("what happened since the last wait is not waited for", () =>
  hinted(async (hints, dir) => {
    await Deno.writeTextFile(`${dir}/a.tar`, "x");
    await waited(hints, 300);
    await Deno.rename(`${dir}/a.tar`, `${dir}/b.tar`);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert(await waited(hints, LONG) < LONG / 2);
  }));

Deno.test("where nothing happens the whole time is waited", () =>
  hinted(async (hints) => {
    assert(await waited(hints, 150) >= 145);
  }));

Deno.test("verdicts that are written beside the files wake nobody", () =>
  hinted(async (hints, dir) => {
    const waiting = waited(hints, 500);
    await Deno.writeTextFile(`${dir}/a.tar.status.json`, "{}");
    await Deno.remove(`${dir}/a.tar.status.json`);
    assert(await waiting >= 495);
  }));

Deno.test("a signal ends the wait", () =>
  hinted(async (hints) => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), 20);
    try {
      assert(await waited(hints, LONG, abort.signal) < LONG / 2);
    } finally {
      // Whoever looks into the directory just then has ended the wait before.
      clearTimeout(timer);
    }
  }));

Deno.test("a directory that was made anew is watched anew", () =>
  hinted(async (hints, dir) => {
    const inner = `${dir}/drop`;
    for (const attempt of [1, 2]) {
      await Deno.mkdir(inner);
      hints.watch(inner, await inodeOf(inner));
      await new Promise((resolve) => setTimeout(resolve, 300));
      await waited(hints, 1);
      const waiting = waited(hints, LONG);
      await Deno.writeTextFile(`${inner}/a.tar`, "x");
      assert(await waiting < LONG / 2, `attempt ${attempt}`);
      // Not removed: the next one would get the same inode.
      await Deno.rename(inner, `${dir}/old-${attempt}`);
    }
  }));

Deno.test("a directory that cannot be watched is said once, and only looked at", () =>
  hinted(async (hints, dir, lines) => {
    for (let look = 0; look < 3; look++) hints.watch(`${dir}/nothing`, 1n);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? "", /debug no file events here, only looking/);
    assert(await waited(hints, 100) >= 95);
  }));
