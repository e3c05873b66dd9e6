import assert from "node:assert/strict";
import type { ApiObjects } from "../../test/fakes/api_objects.ts";
import { TestClock } from "../../test/fakes/testing.ts";
import { claim, cluster, deployment, pod, reasonOf, ref, wait } from "../../test/fakes/waiting.ts";
import type { KubeObject, ObjectRef } from "../kube/mod.ts";
import type { WaitOptions } from "./wait.ts";

/** A container that has ended so often, after so many seconds each time. */
function crashing(name: string, restarts: number, seconds = 1, app = "web"): KubeObject {
  const terminated = {
    ...{ exitCode: 1, reason: "Error", startedAt: "2026-01-01T00:00:00Z" },
    finishedAt: `2026-01-01T00:00:${String(seconds).padStart(2, "0")}Z`,
  };
  return {
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: { name, namespace: "shop", labels: { app } },
    status: {
      containerStatuses: [{
        ...{ name: "c", restartCount: restarts, lastState: { terminated } },
        state: { waiting: { reason: "CrashLoopBackOff", message: "back-off" } },
      }],
    },
  } as never;
}

/** Waits for a Deployment whose container restarts every ten seconds, and for others. */
async function crashes(
  others: ObjectRef[],
  more: Partial<WaitOptions>,
  { seconds = 1, tick = (_api: ApiObjects, _second: number) => {} } = {},
) {
  await using api = cluster();
  api.put(deployment());
  api.logs.set("web-1", "starting\n\nno configuration\n");
  const clock = new TestClock();
  const { sleep } = clock;
  clock.sleep = async (ms) => {
    await sleep.call(clock, ms);
    const second = clock.monotonic() / 1_000;
    api.put(crashing("web-1", Math.floor(second / 10), seconds));
    tick(api, second);
  };
  const refs = [ref("Deployment", "web", "apps/v1"), ...others];
  return await wait(api, refs, { clock, timeout: 300_000, ...more }).then((found) => ({
    ...found,
    seconds: clock.monotonic() / 1_000,
  }));
}

Deno.test("what replaces something that runs and ends at once is given up after two restarts", async () => {
  const rows: [string, Partial<WaitOptions>, number, seconds: number, reason: string][] = [
    ["ends at once", { replaces: true }, 1, 20, "NotReady"],
    ["a first install has more time", { replaces: false }, 1, 50, "NotReady"],
    ["so has what ran for a while", { replaces: true }, 30, 50, "NotReady"],
  ];
  for (const [name, more, ran, seconds, reason] of rows) {
    const found = await crashes([], more, { seconds: ran });
    assert.equal(reasonOf(found.error), reason, name);
    assert.equal(found.seconds, seconds, name);
    assert.match((found.error as Error).message, /ended with code 1 \(Error\)/, name);
    assert.match((found.error as Error).message, /said last: starting \| no configuration$/, name);
  }
});

Deno.test("restarts do not count while something else of the release is on its way", async () => {
  const found = await crashes([ref("PersistentVolumeClaim", "disk")], { replaces: true }, {
    tick: (api, second) => api.put(claim("disk", second >= 25 ? "Bound" : "Pending")),
  });
  assert.equal(reasonOf(found.error), "NotReady");
  assert.equal(Math.floor(found.seconds), 40, "two restarts after the claim was bound");
});

Deno.test("what replaces something and is ready for a moment between two ends is not ready", async () => {
  const rows: [name: string, replaces: boolean, endsAt: number, seconds: number, reason: string][] =
    [
      ["it ends soon after each start", true, 2, 22, "NotReady"],
      ["it runs on", true, Infinity, 3, "Ready"],
      ["a first install is ready when it is", false, 2, 0, "Ready"],
    ];
  for (const [name, replaces, endsAt, seconds, reason] of rows) {
    await using api = cluster();
    const clock = new TestClock();
    const { sleep } = clock;
    const conditions = [{ type: "Available", status: "True" }];
    const counts = { replicas: 3, updatedReplicas: 3, readyReplicas: 3, availableReplicas: 3 };
    const look = () => {
      const second = clock.monotonic() / 1_000;
      const isUp = second % 10 < endsAt;
      const started = new Date(second - second % 10).getTime() * 1_000;
      const state = { running: { startedAt: new Date(started).toISOString() } };
      const running = {
        ...pod("web-1", "x"),
        status: { containerStatuses: [{ name: "c", state }] },
      };
      api.put(isUp ? running as never : crashing("web-1", Math.floor(second / 10)));
      api.put(deployment({ observedGeneration: 1, ...(isUp ? { conditions, ...counts } : {}) }));
    };
    clock.sleep = async (ms) => {
      await sleep.call(clock, ms);
      look();
    };
    look();
    const found = await wait(api, [ref("Deployment", "web", "apps/v1")], { clock, replaces });
    assert.equal(found.error === undefined ? "Ready" : reasonOf(found.error), reason, name);
    assert.equal(Math.floor(clock.monotonic() / 1_000), seconds, name);
  }
});
