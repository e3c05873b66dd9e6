import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import { claim, cluster, deployment, pod, reasonOf, ref, wait } from "../../test/fakes/waiting.ts";
import type { KubeObject, ObjectRef } from "../kube/mod.ts";
import { DeployError } from "./errors.ts";
import { MISSING_GRACE, TROUBLE_GRACE } from "./trouble_watch.ts";
import { waitReady } from "./wait.ts";

Deno.test("trouble of pods ends the wait as it is bad", async () => {
  const rows: [name: string, pod: KubeObject, reason: string, seconds: number, message: RegExp][] =
    [
      [
        "crashes again and again",
        pod("web-1", "CrashLoopBackOff", 5),
        "NotReady",
        0,
        /Deployment web .* pod web-1, container c: restarted 5 times$/,
      ],
      [
        "crashes for the first times",
        pod("web-1", "CrashLoopBackOff", 4),
        "TimedOut",
        300,
        /0 of 3 ready \(pod web-1, container c: restarted 4 times\)$/,
      ],
      [
        "an image that does not come",
        pod("web-1", "ImagePullBackOff"),
        "NotReady",
        TROUBLE_GRACE / 1_000,
        /ImagePullBackOff: because of ImagePullBackOff$/,
      ],
      [
        "a container being made",
        pod("web-1", "ContainerCreating"),
        "TimedOut",
        300,
        /0 of 3 ready$/,
      ],
    ];
  for (const [name, given, reason, seconds, message] of rows) {
    await using api = cluster();
    api.put(deployment());
    api.put(given);
    const found = await wait(api, [ref("Deployment", "web", "apps/v1")]);
    assert.equal(reasonOf(found.error), reason, name);
    assert.match((found.error as Error).message, message, name);
    assert.equal(found.seconds, seconds, name);
  }
});

Deno.test("trouble that went away starts anew when it comes back", async () => {
  await using api = cluster();
  api.put(deployment());
  const clock = new TestClock();
  clock.sleep = (ms) => {
    clock.advance(ms);
    const second = clock.monotonic() / 1_000;
    const better = second >= 8 && second < 10;
    api.put(pod("web-1", better ? "ContainerCreating" : "ErrImagePull"));
    return Promise.resolve();
  };
  const refs = [ref("Deployment", "web", "apps/v1")];
  await assert.rejects(
    waitReady(api.client, refs, { timeout: 60_000, troubleGrace: 10_000, clock }),
    /ErrImagePull/,
  );
  assert.equal(clock.monotonic() / 1_000, 20);
});

Deno.test("pods that may not even be made are told by their controller", async () => {
  await using api = cluster();
  const conditions = [{
    type: "ReplicaFailure",
    status: "True",
    message: 'pods "web-" is forbidden: violates PodSecurity "baseline:latest"',
  }];
  api.put(deployment({ observedGeneration: 1, conditions }));
  const { error, seconds } = await wait(api, [ref("Deployment", "web", "apps/v1")], {
    troubleGrace: 5_000,
  });
  assert.match(String(error), /violates PodSecurity/);
  assert.equal(seconds, 5);
});

Deno.test("only pods that the selector chooses count", async () => {
  await using api = cluster();
  const plain = pod("other-1", "CrashLoopBackOff", 9);
  api.put({ ...plain, metadata: { ...plain.metadata, labels: { app: "other" } } });
  api.put(deployment());
  const { error } = await wait(api, [ref("Deployment", "web", "apps/v1")], { timeout: 2_000 });
  assert.equal(reasonOf(error), "TimedOut");
  assert.doesNotMatch(String(error), /other/);
});

Deno.test("a pod that is waited for itself is asked for its own trouble", async () => {
  await using api = cluster();
  api.put(pod("lonely", "CrashLoopBackOff", 7));
  const { error } = await wait(api, [ref("Pod", "lonely")]);
  assert.match(String(error), /Pod lonely .* restarted 7 times/);
});

Deno.test("an image that is not in the registry is given up earlier, by the name it was written with", async () => {
  await using api = cluster();
  api.put(deployment());
  const waiting = { reason: "ImagePullBackOff", message: "127.0.0.1:31999/x:1-zarf-1: not found" };
  api.put({
    ...{ apiVersion: "v1", kind: "Pod" },
    metadata: {
      ...{ name: "web-1", namespace: "shop", labels: { app: "web" } },
      annotations: { "zarf.dev/original-image-c": "docker.io/library/x:1" },
    },
    status: { containerStatuses: [{ name: "c", restartCount: 0, state: { waiting } }] },
  } as never);
  const { error, seconds } = await wait(api, [ref("Deployment", "web", "apps/v1")]);
  assert.match(String(error), /image docker\.io\/library\/x:1 is not in the registry: 127/);
  assert.match((error as DeployError).remedy ?? "", /add the image/);
  assert.equal(seconds, MISSING_GRACE / 1_000);
});

/** An Event about an object, as a controller or the kubelet records it. */
function event(uid: string, reason: string, message: string, more = {}): KubeObject {
  return {
    ...{
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${uid}.${reason.toLowerCase()}`, namespace: "shop" },
    },
    involvedObject: { uid },
    ...{ type: "Warning", reason, message, lastTimestamp: "2026-01-01T00:00:01Z" },
    ...more,
  } as never;
}

Deno.test("what events warn of is told: pods that cannot be made, claims, volumes, probes", async () => {
  const withUid = (object: KubeObject, uid: string): KubeObject => ({
    ...object,
    metadata: { ...object.metadata, uid },
  });
  const rows: [string, KubeObject[], ObjectRef, reason: string, message: RegExp][] = [
    [
      "a StatefulSet over its quota",
      [
        withUid({ ...deployment(), kind: "StatefulSet" }, "s"),
        event("s", "FailedCreate", "exceeded quota: q"),
        event("s", "Older", "old", { lastTimestamp: "2026-01-01T00:00:00Z" }),
        event("other", "FailedCreate", "of another"),
      ],
      ref("StatefulSet", "web", "apps/v1"),
      "NotReady",
      /StatefulSet web .* FailedCreate: exceeded quota: q$/,
    ],
    [
      "a claim",
      [
        withUid(claim("disk", "Pending"), "c"),
        event("c", "FailedBinding", "no storage class is set", { type: "Normal" }),
      ],
      ref("PersistentVolumeClaim", "disk"),
      "TimedOut",
      /disk: not bound \(FailedBinding: no storage class is set\)$/,
    ],
    [
      "a volume of a pod",
      [
        deployment(),
        withUid(pod("web-1", "ContainerCreating"), "p"),
        event("p", "FailedMount", 'secret "x" not found'),
        event("p", "Pulled", "all is well", { type: "Normal", lastTimestamp: "2027" }),
      ],
      ref("Deployment", "web", "apps/v1"),
      "TimedOut",
      /0 of 3 ready \(pod web-1: FailedMount: secret "x" not found\)$/,
    ],
  ];
  for (const [name, objects, waited, reason, message] of rows) {
    await using api = cluster();
    objects.forEach((object) => api.put(object));
    const { error } = await wait(api, [waited]);
    assert.equal(reasonOf(error), reason, name);
    assert.match((error as Error).message, message, name);
  }
});

Deno.test("a Job that failed says what its pod said last", async () => {
  await using api = cluster();
  const conditions = [{ type: "Failed", status: "True", message: "backoff limit" }];
  const metadata = { name: "migrate", namespace: "shop" };
  api.put({ apiVersion: "batch/v1", kind: "Job", metadata, status: { conditions } } as never);
  for (const [name, exitCode] of [["m-1", 1], ["m-2", 2]] as const) {
    const labels = { "batch.kubernetes.io/job-name": "migrate" };
    const creationTimestamp = `2026-01-01T00:00:0${exitCode}Z`;
    const state = { terminated: { exitCode } };
    api.put({
      ...{ apiVersion: "v1", kind: "Pod" },
      metadata: { name, namespace: "shop", labels, creationTimestamp },
      status: { containerStatuses: [{ name: "c", state }] },
    } as never);
    api.logs.set(name, `I am ${name}\n`);
  }
  const { error } = await wait(api, [ref("Job", "migrate", "batch/v1")]);
  assert.match(
    String(error),
    /Job migrate .*: backoff limit; pod m-2, container c ended with code 2; it said last: I am m-2$/,
  );
});
