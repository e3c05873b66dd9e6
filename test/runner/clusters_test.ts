import assert from "node:assert/strict";
import { abandonedRoots, clusterNames } from "./clusters.ts";

Deno.test("only state of runs whose process is gone is abandoned", async () => {
  const parent = await Deno.makeTempDir();
  try {
    const child = new Deno.Command("true").spawn();
    await child.status;
    const names = ["test", `test-${Deno.pid}`, `test-${child.pid}`, "test-mine", "other-1"];
    for (const name of names) await Deno.mkdir(`${parent}/${name}/holdfast`, { recursive: true });
    assert.deepEqual(abandonedRoots(`${parent}/test`), [`${parent}/test-${child.pid}`]);
    assert.deepEqual(clusterNames(`${parent}/test`), ["holdfast"]);
    assert.deepEqual(clusterNames(`${parent}/none`), []);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});
