import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { watchFailpoints } from "../std/mod.ts";
import { ETCD_MARKER_FAILPOINTS, EtcdMarker, EtcdMarkerError } from "./etcd_marker.ts";

const RUNNER = { life: "1.000000001", runner: "2.000000002" };

Deno.test("what is remembered is read back, by whoever opens it next", () =>
  withDirectory((dir) => {
    const marker = new EtcdMarker(dir);
    assert.deepEqual(marker.read(), {});
    marker.write({ boot: RUNNER });
    assert.deepEqual(new EtcdMarker(dir).read(), { boot: RUNNER });
    marker.write({ boot: RUNNER, asked: RUNNER, seen: "etcd has\ndata" });
    assert.deepEqual(marker.read(), { boot: RUNNER, asked: RUNNER, seen: "etcd has data" });
    assert.deepEqual([...Deno.readDirSync(dir)].map(({ name }) => name), ["etcd-bootstrap.json"]);
  }));

Deno.test("it is on the disk in every step that a power cut may come after", () =>
  withDirectory((dir) => {
    const passed: string[] = [];
    watchFailpoints((name) => passed.push(name));
    try {
      new EtcdMarker(dir).write({ seen: "x" });
    } finally {
      watchFailpoints(undefined);
    }
    assert.deepEqual(passed, [...ETCD_MARKER_FAILPOINTS]);
  }));

Deno.test("what cannot be read is no machine without a memory", () =>
  withDirectory((dir) => {
    const marker = new EtcdMarker(dir);
    for (const text of ["", "{", "[]", "null", '{"version":2}', '{"version":1,"seen":3}']) {
      Deno.writeTextFileSync(marker.path, text);
      assert.throws(
        () => marker.read(),
        (error) => error instanceof EtcdMarkerError && error.reason === "MarkerUnreadable",
        text,
      );
    }
    Deno.removeSync(marker.path);
    Deno.mkdirSync(marker.path);
    assert.throws(() => marker.read(), "a disk that does not let it be read");
  }));

Deno.test("how a cluster was known is kept short", () =>
  withDirectory((dir) => {
    const marker = new EtcdMarker(dir);
    marker.write({ seen: "x".repeat(5_000) });
    assert.equal(marker.read().seen?.length, 300);
  }));
