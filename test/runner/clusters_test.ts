import assert from "node:assert/strict";
import { abandonedRoots, claimClusters, clusterNames } from "./clusters.ts";

Deno.test("only state of runs whose process is gone is abandoned", async () => {
  const parent = await Deno.makeTempDir();
  try {
    const child = new Deno.Command("true").spawn();
    await child.status;
    const alive = [`test-${Deno.pid}`, `test-${Deno.pid}-1`, `test-${Deno.pid}-2`];
    const others = ["test", "test-mine", `test-${child.pid}-mine`, `other-${child.pid}`];
    const dead = [`test-${child.pid}`, `test-${child.pid}-1`, `test-${child.pid}-2`];
    for (const name of [...alive, ...others, ...dead]) {
      await Deno.mkdir(`${parent}/${name}/holdfast`, { recursive: true });
    }
    const abandoned = dead.map((name) => `${parent}/${name}`);
    assert.deepEqual(abandonedRoots(`${parent}/test`), abandoned);
    assert.deepEqual(clusterNames(`${parent}/test`), ["holdfast"]);
    assert.deepEqual(clusterNames(`${parent}/none`), []);
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});

Deno.test("each lane has a state directory of its own, which is abandoned when the run is dead", async () => {
  const parent = await Deno.makeTempDir();
  try {
    const rootOf = await claimClusters(`${parent}/test`);
    const roots = [rootOf(0), rootOf(1)];
    assert.equal(new Set(roots).size, 2);
    for (const root of roots) await Deno.mkdir(`${root}/mine`, { recursive: true });
    assert.deepEqual(abandonedRoots(`${parent}/test`), []);
    const gone = new Deno.Command("true").spawn();
    await gone.status;
    const own = (root: string) => root.replace(String(Deno.pid), String(gone.pid));
    for (const root of roots) await Deno.rename(root, own(root));
    assert.deepEqual(abandonedRoots(`${parent}/test`), roots.map(own));
  } finally {
    await Deno.remove(parent, { recursive: true });
  }
});
