import assert from "node:assert/strict";
import { type AnyObject, ApiObjects } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { despitePauses, eventually, loggerOf } from "../../test/fakes/testing.ts";
import type { MutationPolicy } from "../admission/mod.ts";
import { type Clock, systemClock } from "../std/mod.ts";
import { PodMender } from "./pod_mender.ts";

const NGINX = "127.0.0.1:31999/library/nginx:latest-zarf-3793515731";
/** By how much time is faster than the machine's. */
const SPEED = 50;
/** Milliseconds in which a pod would have been mended. */
const QUIET = 250;

const hurried: Clock = {
  now: () => new Date(),
  monotonic: () => systemClock.monotonic() * SPEED,
  sleep: (ms, signal) => systemClock.sleep(ms / SPEED, signal),
};

class Stage implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly log = loggerOf("debug");
  readonly mender: PodMender;
  policy: MutationPolicy | undefined = "all";
  isProven = true;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(count = 1) {
    const menders = Array.from({ length: count }, () => this.#make());
    [this.mender] = menders as [PodMender];
    this.#running = Promise.all(menders.map((one) => one.run(this.#stop.signal))).then(() => {});
    for (const [name, agent] of [["out", "ignore"], ["in", "mutate"]]) {
      this.api.put({
        apiVersion: "v1",
        kind: "Namespace",
        metadata: { name, labels: { "zarf.dev/agent": agent } },
      } as AnyObject);
    }
  }

  #make(): PodMender {
    return new PodMender({
      kube: this.api.client,
      site: () => ({
        registryAddress: "127.0.0.1:31999",
        configMediaType: () => Promise.resolve(undefined),
      }),
      policy: () => this.policy,
      isProven: () => this.isProven,
      nodeName: "node1",
      logger: this.log.logger,
      clock: hurried,
    });
  }

  put(name: string, more: Record<string, unknown> = {}, namespace = "default"): void {
    const { spec, ...metadata } = more;
    this.api.put({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace, uid: `uid-of-${name}`, ...metadata },
      spec: spec ?? { containers: [{ name: "web", image: "nginx" }] },
      status: { phase: "Pending" },
    } as AnyObject);
  }

  image(name: string): string | undefined {
    return this.api.find("pods", name)?.spec.containers[0].image;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.api[Symbol.asyncDispose]();
  }
}

const pause = () => new Promise((resolve) => setTimeout(resolve, QUIET));

const VOLUME = {
  containers: [{ name: "web", image: "nginx" }],
  volumes: [{ name: "files", image: { reference: "busybox" } }],
};
const OWNED = {
  spec: VOLUME,
  ownerReferences: [{ kind: "ReplicaSet", name: "web", uid: "owner", controller: true }],
};

Deno.test("a pod that was there, and one that comes, are mended once each", async () => {
  await using stage = new Stage();
  stage.put("early");
  await eventually(() => stage.image("early") === NGINX);
  stage.put("late");
  await eventually(() => stage.image("late") === NGINX);
  await eventually(() => stage.mender.mended === 2);
  assert.equal(stage.api.find("pods", "late")?.metadata.labels?.["zarf-agent"], "patched");
  await pause();
  assert.deepEqual(stage.api.writes, ["PATCH pods/early", "PATCH pods/late"]);
});

Deno.test("several agents mend a pod once", async () => {
  await using stage = new Stage(3);
  for (let at = 0; at < 10; at++) stage.put(`pod-${at}`);
  await eventually(() =>
    stage.api.all("pods").every(({ spec }) => spec.containers[0].image === NGINX)
  );
  await pause();
  assert.equal(stage.api.writes.length, 10);
});

Deno.test("what the webhook's selectors do not choose is not touched", async () => {
  await using stage = new Stage();
  stage.put("system", {}, "kube-system");
  stage.put("ignored", {}, "out");
  stage.put("opted-out", { labels: { "zarf.dev/agent": "skip" } });
  stage.put("k3s", { labels: { "svccontroller.k3s.cattle.io/svcname": "web" } });
  stage.put("mirror", { annotations: { "kubernetes.io/config.mirror": "x" } });
  stage.put("done", { labels: { "zarf-agent": "patched" } });
  stage.put("ending", { deletionTimestamp: "2026-01-01T00:00:00Z" });
  stage.put("last");
  await eventually(() => stage.image("last") === NGINX);
  await pause();
  assert.deepEqual(stage.api.writes, ["PATCH pods/last"]);
});

Deno.test("with the policy labeled only labelled pods are mended", async () => {
  await using stage = new Stage();
  stage.policy = "labeled";
  stage.put("unlabelled");
  stage.put("labelled", { labels: { "zarf.dev/agent": "mutate" } });
  stage.put("in-namespace", {}, "in");
  await eventually(() =>
    stage.image("labelled") === NGINX && stage.image("in-namespace") === NGINX
  );
  await pause();
  assert.equal(stage.image("unlabelled"), "nginx");
});

Deno.test("while another acts nothing is mended, and afterwards what waits is", async () => {
  await using stage = new Stage();
  stage.policy = undefined;
  stage.put("web");
  await pause();
  assert.deepEqual(stage.api.writes, []);
  stage.policy = "all";
  await eventually(() => stage.image("web") === NGINX);
});

Deno.test("a write that fails is tried again, with what the pod is then", async () => {
  await using stage = new Stage();
  let failures = 0;
  stage.api.intercept = ({ method }) => {
    if (method !== "PATCH" || ++failures > 2) return undefined;
    if (failures === 1) return status(500, "InternalError", "etcd is slow");
    stage.put("web", { labels: { changed: "meanwhile" } });
    return undefined;
  };
  stage.put("web");
  await eventually(() => stage.image("web") === NGINX);
  assert.equal(stage.api.find("pods", "web")?.metadata.labels?.changed, "meanwhile");
  assert.ok(failures >= 3);
  // The API server has it before the mender knows.
  await eventually(() => stage.mender.mended === 1);
});

Deno.test("a pod with an image volume is made anew by its controller, once the webhook is proven", async () => {
  await using stage = new Stage();
  stage.isProven = false;
  stage.put("web", OWNED);
  await pause();
  assert.deepEqual(stage.api.writes, [], "it would come again as it is");
  stage.isProven = true;
  await eventually(() => stage.api.find("pods", "web") === undefined);
  assert.deepEqual(stage.api.writes, ["DELETE pods/web"]);
});

Deno.test("a controller whose pods slip through again and again is not kept busy", () =>
  despitePauses(async () => {
    await using stage = new Stage();
    stage.put("first", OWNED);
    await eventually(() => stage.api.find("pods", "first") === undefined);
    stage.put("second", OWNED);
    await pause();
    assert(stage.api.find("pods", "second"), "half a minute lies between two deletions");
    await eventually(() => stage.api.find("pods", "second") === undefined);
    stage.put("another", { ...OWNED, ownerReferences: [{ uid: "other", controller: true }] });
    await eventually(() => stage.api.find("pods", "another") === undefined);
  }));

Deno.test("of a bare pod with an image volume an Event says that it has to be made again", async () => {
  await using stage = new Stage();
  stage.put("web", { spec: VOLUME });
  const event = await eventually(() => stage.api.all("events")[0]);
  assert.equal(event.reason, "ImageVolumeNotRewritten");
  assert.equal(event.regarding.uid, "uid-of-web");
  assert.match(event.note, /: files would come from the registry/);
  assert.equal(stage.image("web"), NGINX);
  await pause();
  assert.equal(stage.api.all("events").length, 1);
});
