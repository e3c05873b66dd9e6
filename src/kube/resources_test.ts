import assert from "node:assert/strict";
import { KubeError } from "./errors.ts";
import { discoveryOf, ResourcePaths } from "./resources.ts";
import type { ObjectRef } from "./types.ts";

const nothing = () => Promise.reject(new Error("discovery is not needed"));
const ref = (apiVersion: string, kind: string, name: string, namespace?: string): ObjectRef => ({
  apiVersion,
  kind,
  name,
  ...(namespace === undefined ? {} : { namespace }),
});

Deno.test("built-in kinds have the paths of the API, without discovery", async () => {
  const paths = new ResourcePaths(nothing);
  const cases: [ObjectRef, string][] = [
    [ref("v1", "Pod", "p", "a"), "/api/v1/namespaces/a/pods/p"],
    [ref("v1", "Namespace", "a"), "/api/v1/namespaces/a"],
    [ref("v1", "Node", "n", "ignored"), "/api/v1/nodes/n"],
    [ref("apps/v1", "Deployment", "d", "a"), "/apis/apps/v1/namespaces/a/deployments/d"],
    [
      ref("networking.k8s.io/v1", "Ingress", "i", "a"),
      "/apis/networking.k8s.io/v1/namespaces/a/ingresses/i",
    ],
    [
      ref("rbac.authorization.k8s.io/v1", "ClusterRole", "system:node"),
      "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode",
    ],
    [
      ref("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration", "h"),
      "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/h",
    ],
  ];
  for (const [each, path] of cases) assert.equal(await paths.object(each), path);
  const pods = ref("v1", "Pod", "p", "a");
  assert.equal(await paths.object(pods, "status"), "/api/v1/namespaces/a/pods/p/status");
  assert.equal(await paths.collection({ apiVersion: "v1", kind: "Pod" }), "/api/v1/pods");
});

Deno.test("other kinds are discovered once, and looked for again while they are missing", async () => {
  const asked: string[] = [];
  const resources = [{ name: "things", kind: "Thing", namespaced: true }, {
    name: "things/status",
    kind: "Thing",
    namespaced: true,
  }, { name: "worlds", kind: "World", namespaced: false }];
  const paths = new ResourcePaths(discoveryOf((path) => {
    asked.push(path);
    return Promise.resolve({ resources });
  }));
  const thing = ref("example.dev/v1", "Thing", "t", "a");
  assert.equal(await paths.object(thing), "/apis/example.dev/v1/namespaces/a/things/t");
  assert.equal(await paths.object(thing), "/apis/example.dev/v1/namespaces/a/things/t");
  assert.equal(
    await paths.object(ref("example.dev/v1", "World", "w")),
    "/apis/example.dev/v1/worlds/w",
  );
  assert.deepEqual(asked, ["/apis/example.dev/v1"]);
  const late = ref("example.dev/v1", "Late", "l", "a");
  await assert.rejects(
    paths.object(late),
    (error) => error instanceof KubeError && error.reason === "NotFound",
  );
  resources.push({ name: "lates", kind: "Late", namespaced: true });
  assert.equal(await paths.object(late), "/apis/example.dev/v1/namespaces/a/lates/l");
  assert.equal(asked.length, 3);
});

Deno.test("what was discovered has a limit", async () => {
  let asked = 0;
  const paths = new ResourcePaths(() => {
    asked++;
    return Promise.resolve(new Map([["Thing", { plural: "things", namespaced: false }]]));
  });
  for (let n = 0; n < 65; n++) await paths.resource({ apiVersion: `g${n}/v1`, kind: "Thing" });
  await paths.resource({ apiVersion: "g64/v1", kind: "Thing" });
  assert.equal(asked, 65);
  await paths.resource({ apiVersion: "g0/v1", kind: "Thing" });
  assert.equal(asked, 66, "the oldest was forgotten");
});

Deno.test("no name leads to another path", async () => {
  const paths = new ResourcePaths(nothing);
  for (const name of ["", ".", "..", "a/b", "../secrets/x", "a%2fb"]) {
    await assert.rejects(paths.object(ref("v1", "Pod", name, "a")), KubeError, name);
    await assert.rejects(paths.object(ref("v1", "Pod", "p", name)), KubeError, name);
  }
  assert.equal(
    await paths.object(ref("v1", "Pod", "a?b#c", "n")),
    "/api/v1/namespaces/n/pods/a%3Fb%23c",
  );
});

Deno.test("an answer to discovery that is none finds nothing", async () => {
  for (const answer of [{}, { resources: 3 }, { resources: [{ name: 1 }, null] }]) {
    assert.equal((await discoveryOf(() => Promise.resolve(answer))("/x")).size, 0);
  }
});

Deno.test("a kind of another group than its own is looked for there", async () => {
  const asked: string[] = [];
  const paths = new ResourcePaths((path) => {
    asked.push(path);
    return Promise.resolve(new Map([["Ingress", { plural: "ingresses", namespaced: true }]]));
  });
  const old = ref("extensions/v1beta1", "Ingress", "i", "a");
  assert.equal(
    await paths.object(old),
    "/apis/extensions/v1beta1/namespaces/a/ingresses/i",
  );
  assert.deepEqual(asked, ["/apis/extensions/v1beta1"]);
});

Deno.test("another version of a built-in group needs no discovery", async () => {
  const paths = new ResourcePaths(nothing);
  assert.equal(
    await paths.collection({ apiVersion: "batch/v1beta1", kind: "CronJob", namespace: "a" }),
    "/apis/batch/v1beta1/namespaces/a/cronjobs",
  );
});

for (const apiVersion of ["", "..", "a/..", "/v1", "v1/"]) {
  Deno.test(`the API version "${apiVersion}" leads to no path`, async () => {
    const paths = new ResourcePaths(() => Promise.resolve(new Map()));
    await assert.rejects(
      paths.collection({ apiVersion, kind: "Thing" }),
      (error) => error instanceof KubeError && error.reason === "Invalid",
    );
  });
}
