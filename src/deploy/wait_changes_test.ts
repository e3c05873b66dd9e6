import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { eventually, TestClock } from "../../test/fakes/testing.ts";
import type { KubeClient, KubeObject, ObjectRef } from "../kube/mod.ts";
import { systemClock } from "../std/mod.ts";
import { waitReady } from "./wait.ts";
import { MAX_WATCHES, ObjectChanges } from "./wait_changes.ts";

/** Longer than any test takes: what ends earlier was woken. */
const LONG = 60_000;

function cluster(): ApiObjects {
  const api = new ApiObjects();
  api.put(namespace("shop"));
  return api;
}

function claim(name: string, phase: string): KubeObject {
  const metadata = { name, namespace: "shop" };
  return { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, status: { phase } } as never;
}

function refOf(name: string): ObjectRef {
  return { apiVersion: "v1", kind: "PersistentVolumeClaim", name, namespace: "shop" };
}

function versionOf(api: ApiObjects, name: string): string | undefined {
  return api.find("persistentvolumeclaims", name)?.metadata.resourceVersion;
}

function openedWatches(api: ApiObjects): string[] {
  return api.peer.seen.flatMap(({ query }) =>
    query.get("watch") === "true" ? [query.get("fieldSelector") ?? ""] : []
  );
}

Deno.test("a change of an object ends the pause, also one that is not there yet", async () => {
  await using api = cluster();
  api.put(claim("there", "Pending"));
  using changes = new ObjectChanges(api.client, systemClock);
  changes.watch([
    { ref: refOf("there"), version: versionOf(api, "there") },
    { ref: refOf("comes"), version: undefined },
  ]);
  await eventually(() => openedWatches(api).length === 2);
  for (const changed of [claim("there", "Bound"), claim("comes", "Pending")]) {
    const wait = changes.wait(LONG, undefined);
    api.put(changed);
    await wait;
  }
});

Deno.test("a change between the look and the watch is not lost, and what was seen is no change", async () => {
  await using api = cluster();
  api.put(claim("a", "Pending"));
  const seen = versionOf(api, "a");
  api.put(claim("a", "Bound"));
  using changes = new ObjectChanges(api.client, systemClock);
  changes.watch([{ ref: refOf("a"), version: seen }]);
  await changes.wait(LONG, undefined);
  using none = new ObjectChanges(api.client, systemClock);
  none.watch([{ ref: refOf("a"), version: versionOf(api, "a") }]);
  await eventually(() => openedWatches(api).length === 2);
  const before = performance.now();
  await none.wait(300, undefined);
  assert.ok(performance.now() - before >= 290, "it was woken by what it had seen");
});

Deno.test("an object is watched once, and no more than so many are", async () => {
  await using api = cluster();
  const objects = Array.from({ length: MAX_WATCHES + 3 }, (_, at) => ({
    ref: refOf(`c${at}`),
    version: undefined,
  }));
  using changes = new ObjectChanges(api.client, new TestClock());
  for (let look = 0; look < 3; look++) changes.watch(objects);
  await eventually(() => openedWatches(api).length >= MAX_WATCHES);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(new Set(openedWatches(api)).size, MAX_WATCHES);
  assert.equal(openedWatches(api).length, MAX_WATCHES);
});

Deno.test("a watch that is refused leaves the time, and the signal ends the pause", async () => {
  const refusing: Pick<KubeClient, "watch"> = {
    // deno-lint-ignore require-yield
    async *watch() {
      await Promise.resolve();
      throw new Error("forbidden");
    },
  };
  const clock = new TestClock();
  using changes = new ObjectChanges(refusing, clock);
  changes.watch([{ ref: refOf("a"), version: undefined }]);
  await changes.wait(1_000, undefined);
  await changes.wait(1_000, AbortSignal.abort());
  assert.deepEqual(clock.slept, [1_000]);
});

Deno.test("a wait ends soon after its object is ready", async () => {
  await using api = cluster();
  api.put(claim("disk", "Pending"));
  // The look after a second comes after ten minutes.
  const sleep = (ms: number, signal?: AbortSignal) =>
    systemClock.sleep(ms < 1_000 ? ms : 600 * ms, signal);
  const wait = waitReady(api.client, [refOf("disk")], {
    timeout: LONG,
    clock: { ...systemClock, sleep },
  });
  await eventually(() => openedWatches(api).length === 1);
  const started = performance.now();
  api.put(claim("disk", "Bound"));
  await wait;
  assert.ok(performance.now() - started < LONG, "it was found by the next look");
});
