import assert from "node:assert/strict";
import { TestClock } from "../../test/fakes/testing.ts";
import { claim, cluster, deployment, pod, reasonOf, ref, wait } from "../../test/fakes/waiting.ts";
import { KubeError, type KubeObject } from "../kube/mod.ts";
import { DeployError } from "./errors.ts";
import { waitReady } from "./wait.ts";
import { CHANGE_BATCH } from "./wait_changes.ts";

const FIXTURES = new URL("../../test/fixtures/zarf-cluster/nodeport/", import.meta.url);

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

Deno.test("an error tells what of the release runs all the same", async () => {
  await using api = cluster();
  const running = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
  api.put({ ...pod("good", "x"), status: running } as never);
  api.put(claim("bound", "Bound"));
  const refs = [ref("Pod", "good"), ref("PersistentVolumeClaim", "bound"), ref("ConfigMap", "no")];
  const { error } = await wait(api, refs);
  assert.equal((error as DeployError).kept, "ready: Pod good");
});
