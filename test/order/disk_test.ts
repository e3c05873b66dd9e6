import assert from "node:assert/strict";
import { Disk } from "./disk.ts";

/** Flushes what has a name. */
function flush(disk: Disk, path: string, time: number): void {
  const node = disk.at(path);
  assert.ok(node, path);
  node.flushed = time;
}

Deno.test("what was there before the trace is flushed, whatever it is called", () => {
  const disk = new Disk("/r");
  assert.equal(disk.isNamed("/r/drop/web.tar"), true);
  assert.deepEqual(disk.unflushed("/r/drop"), []);
  assert.deepEqual([...disk.given()], []);
  assert.equal(disk.holds("/r/x"), true);
  assert.equal(disk.holds("/root"), false);
});

Deno.test("a name counts when every directory on the way was flushed after it was given", () => {
  const disk = new Disk("/r");
  disk.make("/r/a", 1);
  disk.make("/r/a/b", 2);
  assert.equal(disk.isNamed("/r/a/b"), false);
  flush(disk, "/r/a", 2);
  assert.equal(disk.isNamed("/r/a/b"), false, "a flush that began while the name was given");
  flush(disk, "/r/a", 3);
  assert.equal(disk.isNamed("/r/a/b"), false, "nobody finds the directory");
  flush(disk, "/r", 4);
  assert.equal(disk.isNamed("/r/a/b"), true);
  assert.equal(disk.isNamed("/r/a/other"), false, "all names in it are known");
});

Deno.test("a tree is as flushed as its last file and name", () => {
  const disk = new Disk("/r");
  disk.make("/r/a", 1);
  disk.make("/r/a/b", 2);
  disk.make("/r/a/b/c", 3);
  assert.deepEqual(disk.unflushed("/r/a"), ["/r/a", "/r/a/b"]);
  flush(disk, "/r/a", 4);
  assert.deepEqual(disk.unflushed("/r/a"), ["/r/a/b", "/r/a/b/c"]);
  flush(disk, "/r/a/b", 4);
  assert.deepEqual(disk.unflushed("/r/a"), ["/r/a/b/c"]);
  flush(disk, "/r/a/b/c", 4);
  assert.deepEqual(disk.unflushed("/r/a"), []);
  assert.deepEqual(disk.unflushed("/r/a/none"), ["/r/a/none"]);
});

Deno.test("a name that moves takes what it names along", () => {
  const disk = new Disk("/r");
  disk.make("/r/a", 1);
  disk.make("/r/a/b", 2);
  const node = disk.at("/r/a") ?? assert.fail();
  disk.take("/r/a");
  disk.give("/r/moved", node, 3);
  assert.equal(disk.at("/r/a/b"), undefined);
  assert.ok(disk.at("/r/moved/b"));
  assert.deepEqual([...disk.given()], ["/r/moved", "/r/moved/b"]);
});
