import assert from "node:assert/strict";
import { applyPatch } from "../../test/fakes/json_patch.ts";
import type { KubeObject } from "../kube/mod.ts";
import { mendObject, mendPod } from "./mend.ts";
import { RULES } from "./rules/rules.ts";
import type { Site } from "./site.ts";

const REGISTRY = "127.0.0.1:31999";
const SITE: Site = {
  registryAddress: REGISTRY,
  gitServer: {
    address: "http://git.example.com",
    pushUsername: "zarf-git-user",
    pullUsername: "reader",
    pullPassword: "secret",
  },
  configMediaType: () => Promise.resolve(undefined),
};
const NGINX = `${REGISTRY}/library/nginx:latest-zarf-3793515731`;
const BUSYBOX = `${REGISTRY}/library/busybox:latest-zarf-2140033595`;

const waiting = (name: string) => ({ name, state: { waiting: { reason: "ErrImagePull" } } });
const running = (name: string) => ({ name, state: { running: { startedAt: "x" } } });
const ended = (name: string) => ({ name, state: { terminated: { exitCode: 0 } } });
const restarting = (name: string) => ({ ...waiting(name), lastState: { terminated: {} } });

interface Parts {
  readonly metadata?: KubeObject["metadata"];
  readonly spec?: Record<string, unknown>;
  readonly status?: Record<string, unknown>;
}

type Pod = KubeObject & {
  spec: {
    containers: { name: string; image: string }[];
    initContainers?: { name: string; image: string }[];
    imagePullSecrets?: unknown;
  };
};

function pod({ metadata = {}, spec = {}, status = { phase: "Pending" } }: Parts = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "default", ...metadata },
    spec: { containers: [{ name: "web", image: "nginx" }], ...spec },
    status,
  } as Pod;
}

const VOLUMES = {
  volumes: [{ name: "scratch", emptyDir: {} }, { name: "files", image: { reference: "busybox" } }],
};

Deno.test("a pod that slipped through gets images, label and annotations, but no pull secret", () => {
  const stored = pod({ spec: { initContainers: [{ name: "init", image: "busybox" }] } });
  const mending = mendPod(stored, SITE);
  assert(mending);
  const after = applyPatch(stored, mending.patch) as Pod;
  assert.equal(after.spec.containers[0]?.image, NGINX);
  assert.equal(after.spec.initContainers?.[0]?.image, BUSYBOX);
  assert.equal(after.spec.imagePullSecrets, undefined);
  assert.equal(after.metadata.labels?.["zarf-agent"], "patched");
  assert.deepEqual(after.metadata.annotations, {
    "zarf.dev/original-image-web": "nginx",
    "zarf.dev/original-image-init": "busybox",
  });
  assert.deepEqual([mending.volumes, mending.controller], [[], undefined]);
  assert.equal(mendPod(after, SITE), undefined, "once is enough");
});

Deno.test("a container that has started keeps its image", () => {
  const spec = {
    initContainers: [{ name: "init", image: "busybox" }],
    containers: [{ name: "web", image: "nginx" }, { name: "log", image: "busybox" }],
  };
  const cases: [string, Record<string, unknown>, string[]][] = [
    ["nothing is known yet", {}, ["web", "log", "init"]],
    ["all wait", {
      initContainerStatuses: [waiting("init")],
      containerStatuses: [waiting("web"), waiting("log")],
    }, ["web", "log", "init"]],
    ["init has ended", { initContainerStatuses: [ended("init")] }, ["web", "log"]],
    ["a sidecar runs", { initContainerStatuses: [running("init")] }, ["web", "log"]],
    ["one runs", { containerStatuses: [running("web"), waiting("log")] }, ["log", "init"]],
    ["one starts again", { containerStatuses: [restarting("web")] }, ["log", "init"]],
  ];
  for (const [what, status, wanted] of cases) {
    const stored = pod({ spec, status });
    const mending = mendPod(stored, SITE);
    assert(mending, what);
    const after = applyPatch(stored, mending.patch) as Pod;
    const annotations = Object.keys(after.metadata.annotations ?? {});
    assert.deepEqual(
      annotations.map((key) => key.replace("zarf.dev/original-image-", "")).sort(),
      [...wanted].sort(),
      what,
    );
  }
  const all = { containerStatuses: [running("web"), running("log")] };
  const init = { initContainerStatuses: [ended("init")] };
  assert.equal(mendPod(pod({ spec, status: { ...all, ...init } }), SITE), undefined);
});

Deno.test("what is not the webhook's to change, and what cannot be changed, is left", () => {
  const cases: [string, KubeObject][] = [
    ["it ends", pod({ metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" } })],
    ["a mirror pod", pod({ metadata: { annotations: { "kubernetes.io/config.mirror": "x" } } })],
    ["opted out", pod({ metadata: { labels: { "zarf.dev/agent": "ignore" } } })],
    ["no reference", pod({ spec: { containers: [{ name: "web", image: "not an image" }] } })],
    ["from the registry", pod({ spec: { containers: [{ name: "web", image: NGINX }] } })],
    ["no pod", { apiVersion: "v1", kind: "Pod", metadata: {} }],
  ];
  for (const [what, object] of cases) assert.equal(mendPod(object, SITE), undefined, what);
});

Deno.test("an image volume is named, with the controller that makes the pod again", () => {
  const ownerReferences = [
    { apiVersion: "v1", kind: "ConfigMap", name: "a", uid: "not-it" },
    { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web", uid: "it", controller: true },
  ];
  const owned = mendPod(pod({ metadata: { ownerReferences }, spec: VOLUMES }), SITE);
  assert.deepEqual([owned?.volumes, owned?.controller], [["files"], "it"]);
  const bare = pod({ spec: VOLUMES });
  const mending = mendPod(bare, SITE);
  assert.deepEqual([mending?.volumes, mending?.controller], [["files"], undefined]);
  assert.ok(mending?.patch.every(({ path }) => !path.startsWith("/spec/volumes")));
  const after = applyPatch(bare, mending?.patch ?? []) as Pod;
  assert.equal(after.spec.containers[0]?.image, NGINX);
});

Deno.test("a bare pod of which only a volume is wrong is marked, so that it is said once", () => {
  const spec = { ...VOLUMES, containers: [{ name: "web", image: NGINX }] };
  const stored = pod({ spec, metadata: { labels: { app: "web" } } });
  const mending = mendPod(stored, SITE);
  assert.deepEqual(mending?.patch, [
    { op: "add", path: "/metadata/labels/zarf-agent", value: "patched" },
  ]);
  const started = pod({ spec, status: { containerStatuses: [running("web")] } });
  assert.equal(mendPod(started, SITE), undefined, "the volume was there when it started");
});

Deno.test("an object that slipped through gets what its rule gives to a new one", async () => {
  const rule = RULES.get("/mutate/flux-gitrepository");
  assert(rule);
  const stored = {
    apiVersion: "source.toolkit.fluxcd.io/v1",
    kind: "GitRepository",
    metadata: { name: "podinfo", namespace: "flux" },
    spec: { url: "https://github.com/stefanprodan/podinfo.git", interval: "1m" },
  };
  const patch = await mendObject(rule, stored, SITE);
  const after = applyPatch(stored, patch) as typeof stored & KubeObject;
  assert.match(after.spec.url, /^http:\/\/git\.example\.com\/zarf-git-user\/podinfo-\d+/);
  assert.equal(after.metadata.labels?.["zarf-agent"], "patched");
  assert.deepEqual(await mendObject(rule, after, SITE), [], "once is enough");
  const { gitServer: _, ...without } = SITE;
  assert.deepEqual(await mendObject(rule, stored, without), [], "there is no git server");
});
