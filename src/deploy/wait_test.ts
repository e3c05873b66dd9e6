import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { TestClock } from "../../test/fakes/testing.ts";
import { KubeError, type KubeObject, type ObjectRef } from "../kube/mod.ts";
import { DeployError } from "./errors.ts";
import { MISSING_GRACE, TROUBLE_GRACE } from "./trouble_watch.ts";
import { type WaitOptions, waitReady } from "./wait.ts";
import { CHANGE_BATCH } from "./wait_changes.ts";

const FIXTURES = new URL("../../test/fixtures/zarf-cluster/nodeport/", import.meta.url);

function cluster(): ApiObjects {
  const api = new ApiObjects();
  api.put(namespace("shop"));
  return api;
}

function ref(kind: string, name: string, apiVersion = "v1"): ObjectRef {
  return { apiVersion, kind, name, namespace: "shop" };
}

function claim(name: string, phase: string): KubeObject {
  const metadata = { name, namespace: "shop" };
  return { apiVersion: "v1", kind: "PersistentVolumeClaim", metadata, status: { phase } } as never;
}

/** A pod whose container waits for this reason. */
function pod(name: string, reason: string, restartCount = 0): KubeObject {
  const waiting = { reason, message: `because of ${reason}` };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "shop", labels: { app: "web" } },
    status: {
      phase: "Pending",
      containerStatuses: [{ name: "c", restartCount, state: { waiting } }],
    },
  } as never;
}

/** A Deployment that is not ready and selects {@linkcode pod}. */
function deployment(status: unknown = { observedGeneration: 1 }): KubeObject {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "shop", generation: 1 },
    spec: { replicas: 3, selector: { matchLabels: { app: "web" } } },
    status,
  } as never;
}

/** Waits on a clock of its own and says how long it took by it and what it said. */
async function wait(api: ApiObjects, refs: ObjectRef[], more: Partial<WaitOptions> = {}) {
  const clock = new TestClock();
  const said: string[] = [];
  const onProgress = (message: string) => void said.push(message);
  let error: unknown;
  try {
    await waitReady(api.client, refs, { timeout: 300_000, clock, onProgress, ...more });
  } catch (thrown) {
    error = thrown;
  }
  return { error, said, seconds: clock.monotonic() / 1000 };
}

function reasonOf(error: unknown): string {
  assert.ok(error instanceof DeployError, String(error));
  return error.reason;
}

Deno.test("what is ready is not waited for, and is read once", async () => {
  await using api = cluster();
  const { items } = JSON.parse(
    Deno.readTextFileSync(new URL("app-small-objects.json", FIXTURES)),
  ) as { items: KubeObject[] };
  for (const item of items) api.put(item);
  const refs = items.map(({ apiVersion, kind, metadata }) => ({
    apiVersion,
    kind,
    name: metadata.name ?? "",
    namespace: metadata.namespace ?? "",
  }));
  const { error, said, seconds } = await wait(api, refs);
  assert.equal(error, undefined);
  assert.deepEqual(said, []);
  assert.equal(seconds, 0);
  assert.equal(api.peer.seen.length, refs.length);
});

Deno.test("nothing to wait for is ready", async () => {
  await using api = cluster();
  assert.equal((await wait(api, [])).error, undefined);
  assert.deepEqual(api.peer.seen, []);
});

Deno.test("a wait says what is missing, once for each change, and ends when all is there", async () => {
  await using api = cluster();
  api.put(claim("a", "Bound"));
  const clock = new TestClock();
  const said: string[] = [];
  const steps: Record<number, KubeObject> = {
    3: claim("b", "Pending"),
    6: claim("b", "Bound"),
  };
  const onProgress = (message: string) => void said.push(message);
  clock.sleep = (ms) => {
    // A change that was seen makes the next look come earlier.
    if (ms === CHANGE_BATCH) return Promise.resolve();
    assert.equal(ms, 1_000);
    clock.advance(ms);
    const step = steps[clock.monotonic() / 1_000];
    if (step !== undefined) api.put(step);
    return Promise.resolve();
  };
  const refs = ["a", "b"].map((name) => ref("PersistentVolumeClaim", name));
  await waitReady(api.client, refs, { timeout: 60_000, clock, onProgress });
  assert.deepEqual(said, [
    "PersistentVolumeClaim b: not there yet",
    "PersistentVolumeClaim b: not bound",
  ]);
  assert.equal(clock.monotonic(), 6_000);
  const reads = api.peer.seen.filter(({ path }) => path.endsWith("/a")).length;
  assert.equal(reads, 1, "what was ready once is not read again");
});

Deno.test("a wait that takes too long names the first three and counts the others", async () => {
  const rows: [count: number, message: RegExp][] = [
    [1, /^not ready within 30 s: ConfigMap c0: not there yet$/],
    [3, /c0: not there yet; ConfigMap c1: not there yet; ConfigMap c2: not there yet$/],
    [12, /; ConfigMap c2: not there yet and 9 more$/],
  ];
  for (const [count, message] of rows) {
    await using api = cluster();
    const refs = Array.from({ length: count }, (_, index) => ref("ConfigMap", `c${index}`));
    const { error, seconds } = await wait(api, refs, { timeout: 30_000 });
    assert.equal(reasonOf(error), "TimedOut");
    assert.match(String(error), new RegExp(message.source.replace("^", "")));
    assert.equal((error as DeployError).disposition, "retry");
    assert.equal(seconds, 30);
  }
});

Deno.test("a time-out tells the whole limit that the wait is part of", async () => {
  await using api = cluster();
  const limits = { timeout: 2_000, wholeTimeout: 900_000 };
  const { error, seconds } = await wait(api, [ref("ConfigMap", "a")], limits);
  assert.match(String(error), /within 900 s/);
  assert.equal(seconds, 2);
});

Deno.test("what is ready at the last moment is ready", async () => {
  await using api = cluster();
  api.put(claim("a", "Bound"));
  const { error } = await wait(api, [ref("PersistentVolumeClaim", "a")], { timeout: 0 });
  assert.equal(error, undefined);
});

Deno.test("what has failed ends the wait at once", async () => {
  await using api = cluster();
  const conditions = [{
    type: "Progressing",
    status: "False",
    reason: "ProgressDeadlineExceeded",
    message: "timed out progressing",
  }];
  api.put(deployment({ observedGeneration: 1, conditions }));
  const { error, seconds } = await wait(api, [ref("Deployment", "web", "apps/v1")]);
  assert.equal(reasonOf(error), "NotReady");
  assert.equal(
    (error as Error).message,
    "Deployment web in namespace shop cannot become ready: timed out progressing",
  );
  assert.equal((error as DeployError).disposition, "retry");
  assert.equal(seconds, 0);
});

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

Deno.test("an API server that fails for a while is borne", async () => {
  const rows: [name: string, answer: () => Response][] = [
    ["500", () => Response.json({ message: "etcd" }, { status: 500 })],
    ["429", () => Response.json({ message: "slowly" }, { status: 429 })],
    ["no JSON", () => new Response("<html>")],
  ];
  for (const [name, answer] of rows) {
    await using api = cluster();
    api.put(claim("a", "Bound"));
    let failures = 3;
    api.intercept = () => failures-- > 0 ? answer() : undefined;
    const { error, said } = await wait(api, [ref("PersistentVolumeClaim", "a")]);
    assert.equal(error, undefined, name);
    assert.deepEqual(said, ["PersistentVolumeClaim a: it cannot be read"], name);
  }
});

Deno.test("an API server that does not let it look ends the wait", async () => {
  await using api = cluster();
  api.intercept = () => Response.json({ reason: "Forbidden" }, { status: 403 });
  const { error, seconds } = await wait(api, [ref("ConfigMap", "a")]);
  assert.ok(error instanceof KubeError && error.reason === "Forbidden", String(error));
  assert.equal(seconds, 0);
});

/** Lets an API server in memory say which kinds it has: group, version, kind. */
function serves(api: ApiObjects, kinds: readonly (readonly [string, string, string])[]): void {
  const others = api.intercept;
  api.intercept = (request) => {
    const { path } = request;
    const of = kinds.filter(([group]) => (group === "") === (path === "/api"));
    const resource = (kind: string) => ({
      resource: `${kind.toLowerCase()}s`,
      responseKind: { kind },
      scope: "Namespaced",
    });
    if (path === "/api" || path === "/apis") {
      const items = of.map(([name, version, kind]) => ({
        metadata: { name },
        versions: [{ version, resources: [resource(kind)] }],
      }));
      return Response.json({ kind: "APIGroupDiscoveryList", items });
    }
    const [, group, version] = /^\/apis\/([^/]+)\/([^/]+)$/.exec(path) ?? [];
    const found = kinds.filter((one) => one[0] === group && one[1] === version);
    if (group === undefined || found.length === 0) return others(request);
    const resources = found.map(([, , kind]) => ({
      name: `${kind.toLowerCase()}s`,
      kind,
      namespaced: true,
    }));
    return Response.json({ resources });
  };
}

const thing = (status?: unknown, metadata = {}) => ({
  apiVersion: "x.example/v1",
  kind: "Thing",
  metadata: { name: "a", namespace: "shop", ...metadata },
  ...(status === undefined ? {} : { status }),
});

Deno.test("a kind that nobody knows is waited for, and named", async () => {
  await using api = cluster();
  serves(api, [["apps", "v1", "Deployment"], ["x.example", "v1", "Other"]]);
  const rows = [
    [ref("Thing", "a", "x.example/v1"), /Thing a: the cluster has no kind Thing in x\.example$/],
    [ref("Deployment", "a", "x.example/v1"), /no kind Deployment in x\.example$/],
    [ref("Podd", "a"), /no kind Podd in v1$/],
    [ref("Deployment", "a", "apps/v1"), /Deployment a: not there yet$/],
  ] as const;
  for (const [one, expected] of rows) {
    const { error, said } = await wait(api, [one], { timeout: 3_000 });
    assert.equal(reasonOf(error), "TimedOut");
    assert.match((error as DeployError).message, expected);
    assert.match(said.at(-1) ?? "", expected);
  }
});

Deno.test("a server that does not list its kinds is no reason to end", async () => {
  await using api = cluster();
  const { error } = await wait(api, [ref("Thing", "a", "x.example/v1")], { timeout: 3_000 });
  assert.match((error as DeployError).message, /Thing a: not there yet/);
});

Deno.test("a kind that comes while it is waited for is found, then its object, then its readiness", async () => {
  await using api = cluster();
  serves(api, []);
  const kinds: [string, string, string][] = [];
  const said: string[] = [];
  const onProgress = (message: string) => {
    said.push(message);
    if (message.includes("no kind")) serves(api, [...kinds, ["x.example", "v1", "Thing"]]);
    if (message.endsWith("not there yet")) {
      api.put(thing({ conditions: [{ type: "Ready", status: "False", message: "soon" }] }));
    }
    if (message.endsWith("soon")) {
      api.put(thing({ conditions: [{ type: "Ready", status: "True" }] }));
    }
  };
  const { error } = await wait(api, [ref("Thing", "a", "x.example/v1")], { onProgress });
  assert.equal(error, undefined, String(error));
  assert.deepEqual(said, [
    "Thing a: the cluster has no kind Thing in x.example",
    "Thing a: not there yet",
    "Thing a: soon",
  ]);
});

Deno.test("of a version that the cluster does not have the one that it prefers is asked for", async () => {
  await using api = cluster();
  serves(api, [["x.example", "v1", "Thing"], ["x.example", "v1alpha1", "Thing"]]);
  api.put(thing());
  for (const version of ["v1", "v1beta1"]) {
    const { error } = await wait(api, [ref("Thing", "a", `x.example/${version}`)]);
    assert.equal(error, undefined, version);
  }
});

Deno.test("an object that goes while it is waited for is waited for until it is there again", async () => {
  await using api = cluster();
  const kept = { deletionTimestamp: "2026-01-01T00:00:00Z" };
  const map = (metadata = {}) => ({
    ...thing(undefined, metadata),
    apiVersion: "v1",
    kind: "ConfigMap",
  });
  api.put(map(kept));
  const said: string[] = [];
  const onProgress = (message: string) => {
    said.push(message);
    if (message.endsWith("it is being deleted")) api.remove(map());
    if (message.endsWith("not there yet")) api.put(map());
  };
  const { error } = await wait(api, [ref("ConfigMap", "a")], { onProgress });
  assert.equal(error, undefined);
  assert.deepEqual(said, ["ConfigMap a: it is being deleted", "ConfigMap a: not there yet"]);
});

Deno.test("what fails beside ends a wait, and whoever waits says what ready is", async () => {
  await using api = cluster();
  api.put(claim("a", "Pending"));
  const failure = new Error("beside");
  let looks = 0;
  const check = () => {
    if (++looks === 3) throw failure;
  };
  const { error, seconds } = await wait(api, [ref("PersistentVolumeClaim", "a")], { check });
  assert.equal(error, failure);
  assert.equal(seconds, 2);
  const judge = () => ({ status: "Current", message: "" }) as const;
  assert.equal((await wait(api, [ref("PersistentVolumeClaim", "a")], { judge })).error, undefined);
});

Deno.test("a wait that is told to stop says so, wherever it is", async (t) => {
  const stopped = (error: unknown) => {
    assert.equal(reasonOf(error), "Cancelled");
    assert.equal((error as Error & { cause: Error }).cause.message, "shutting down");
    assert.equal((error as DeployError).disposition, "retry");
  };
  await t.step("while it sleeps", async () => {
    await using api = cluster();
    const controller = new AbortController();
    const clock = new TestClock();
    clock.sleep = () => Promise.resolve(controller.abort(new Error("shutting down")));
    const { signal } = controller;
    stopped((await wait(api, [ref("ConfigMap", "a")], { clock, signal })).error);
  });
  await t.step("while nobody answers", async () => {
    await using api = cluster();
    const controller = new AbortController();
    const answer = Promise.withResolvers<Response>();
    api.intercept = () => {
      controller.abort(new Error("shutting down"));
      return answer.promise;
    };
    const { signal } = controller;
    stopped((await wait(api, [ref("ConfigMap", "a")], { signal })).error);
    answer.resolve(Response.json({}));
  });
  await t.step("while it asks", async () => {
    await using api = cluster();
    const controller = new AbortController();
    api.intercept = () => {
      controller.abort(new Error("shutting down"));
      return Response.json({ reason: "Forbidden" }, { status: 403 });
    };
    const { signal } = controller;
    stopped((await wait(api, [ref("ConfigMap", "a")], { signal })).error);
  });
});

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

Deno.test("an error tells what of the release runs all the same", async () => {
  await using api = cluster();
  const running = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
  api.put({ ...pod("good", "x"), status: running } as never);
  api.put(claim("bound", "Bound"));
  const refs = [ref("Pod", "good"), ref("PersistentVolumeClaim", "bound"), ref("ConfigMap", "no")];
  const { error } = await wait(api, refs);
  assert.equal((error as DeployError).kept, "ready: Pod good");
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
