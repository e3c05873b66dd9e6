import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { findRemovedApis, movedManifest, moveRemovedApis } from "./removed_apis.ts";
import { releaseHistory } from "./release.ts";
import { releaseData, type StoredRelease, storedRelease } from "./release_secret.ts";
import { readObjects } from "./yaml.ts";

const TODAY = new Set([
  "v1 ConfigMap",
  "policy/v1 PodDisruptionBudget",
  "networking.k8s.io/v1 Ingress",
  "apps/v1 Deployment",
  "flowcontrol.apiserver.k8s.io/v1 FlowSchema",
]);
const serves = (kind: string) => TODAY.has(kind);

const object = (apiVersion: string, kind: string, more = "") =>
  `---\n# Source: web/templates/x.yaml\napiVersion: ${apiVersion}\nkind: ${kind}\n` +
  `metadata:\n  name: web\n${more}`;

const MOVES: [name: string, from: string, kind: string, to: string | undefined][] = [
  ["one that is in another version", "policy/v1beta1", "PodDisruptionBudget", "policy/v1"],
  ["one that is in another group", "extensions/v1beta1", "Ingress", "networking.k8s.io/v1"],
  ["the other kinds of that group", "extensions/v1beta1", "Deployment", "apps/v1"],
  [
    "one that was removed several times",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "FlowSchema",
    "flowcontrol.apiserver.k8s.io/v1",
  ],
  ["one that nothing took the place of", "policy/v1beta1", "PodSecurityPolicy", undefined],
  ["the same by its first name", "extensions/v1beta1", "PodSecurityPolicy", undefined],
];
for (const [name, from, kind, to] of MOVES) {
  Deno.test(`a manifest is moved to what the cluster serves: ${name}`, () => {
    const text = object("v1", "ConfigMap", "data:\n  yes: 'no'\n  n: \"1\"\n");
    const moved = movedManifest(`${text}${object(from, kind)}`, serves);
    assert.deepEqual(moved?.moved, [`${from} ${kind} web`]);
    const objects = readObjects(moved?.manifest ?? "");
    assert.deepEqual(objects[0], readObjects(text)[0], "the others stay");
    assert.deepEqual(objects.slice(1).map((one) => [one.apiVersion, one.kind]), [
      ...to === undefined ? [] : [[to, kind]],
    ]);
  });
}

const STAYS: [name: string, text: string][] = [
  ["what is served", object("policy/v1", "PodDisruptionBudget")],
  ["a custom kind that is gone", object("lab.example/v1", "Thing")],
  ["what is no object", "---\n- apiVersion: policy/v1beta1\n---\nnull\n"],
  ["nothing", ""],
];
for (const [name, text] of STAYS) {
  Deno.test(`a manifest stays as it is: ${name}`, () => {
    assert.equal(movedManifest(text, serves), undefined);
  });
}

Deno.test("an old version that is still served stays, whatever else is removed", () => {
  const both = new Set([...TODAY, "extensions/v1beta1 Ingress"]);
  const text = `${object("extensions/v1beta1", "Ingress")}${
    object("policy/v1beta1", "PodDisruptionBudget")
  }`;
  const moved = movedManifest(text, (kind) => both.has(kind));
  assert.deepEqual(
    readObjects(moved?.manifest ?? "").map(({ apiVersion }) => apiVersion),
    ["extensions/v1beta1", "policy/v1"],
  );
});

Deno.test("objects in lists are moved, too", () => {
  const list = `apiVersion: v1
kind: List
items:
- {apiVersion: policy/v1beta1, kind: PodSecurityPolicy, metadata: {name: a}}
- {apiVersion: policy/v1beta1, kind: PodDisruptionBudget, metadata: {name: b}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
`;
  const moved = movedManifest(list, serves);
  assert.deepEqual(readObjects(moved?.manifest ?? "").map((one) => [one.apiVersion, one.kind]), [
    ["policy/v1", "PodDisruptionBudget"],
    ["v1", "ConfigMap"],
  ]);
});

/** A cluster of today with revisions of release `web`, each with what it applied. */
function clusterWith(...revisions: [status: string, manifest: string][]): ApiObjects {
  const api = new ApiObjects();
  api.put(namespace("shop"));
  revisions.forEach(([status, manifest], index) => {
    const version = index + 1;
    const info = { status, description: "Upgrade complete", last_deployed: "2020-01-01T00:00:00Z" };
    const release = { name: "web", version, manifest, info, config: { a: 1 } } as StoredRelease;
    api.put({
      apiVersion: "v1",
      kind: "Secret",
      type: "helm.sh/release.v1",
      metadata: {
        name: `sh.helm.release.v1.web.v${version}`,
        namespace: "shop",
        labels: { owner: "helm", name: "web", status, version: String(version) },
      },
      data: releaseData(release),
    });
  });
  api.intercept = ({ path }) => {
    if (path !== "/api" && path !== "/apis") return undefined;
    const kinds = [...TODAY].map((one) => one.split(" ")).map(([version = "", kind]) => ({
      group: version.includes("/") ? version.split("/")[0] : "",
      version: version.split("/").at(-1),
      kind,
    })).filter(({ group }) => (group === "") === (path === "/api"));
    return Response.json({
      kind: "APIGroupDiscoveryList",
      items: kinds.map(({ group, version, kind }) => ({
        metadata: { name: group },
        versions: [{
          version,
          resources: [{ resource: "x", responseKind: { kind }, scope: "Namespaced" }],
        }],
      })),
    });
  };
  return api;
}

const OLD = object("policy/v1beta1", "PodDisruptionBudget");
const NOW = new Date("2026-01-02T03:04:05Z");

async function move(api: ApiObjects) {
  const history = await releaseHistory(api.client, "shop", "web");
  return await moveRemovedApis(api.client, "shop", "web", history, NOW);
}

function releaseOf(api: ApiObjects, version: number) {
  const secret = api.find("secrets", `sh.helm.release.v1.web.v${version}`);
  assert(secret);
  return { secret, release: storedRelease(secret) };
}

Deno.test("a release with removed versions gets a revision with those of today, as from Zarf", async () => {
  await using api = clusterWith(["superseded", OLD], ["deployed", OLD]);
  const history = await move(api);
  assert.deepEqual(history.map(({ revision, status }) => `${revision} ${status}`), [
    "1 superseded",
    "2 superseded",
    "3 deployed",
  ]);
  const { secret, release } = releaseOf(api, 3);
  assert.deepEqual(secret.metadata.labels, {
    ...{ owner: "helm", name: "web", status: "deployed", version: "3" },
  });
  assert.deepEqual({ ...release, manifest: "" }, {
    ...{ name: "web", version: 3, manifest: "", config: { a: 1 } },
    info: {
      status: "deployed",
      description: "Kubernetes deprecated API upgrade - DO NOT rollback from this version",
      last_deployed: "2026-01-02T03:04:05.000Z",
    },
  });
  const [budget] = readObjects(release?.manifest ?? "");
  assert.equal(budget?.apiVersion, "policy/v1");
  assert.deepEqual(releaseOf(api, 2).release?.info["status"], "superseded");
  assert.equal(releaseOf(api, 2).release?.manifest, OLD);
  api.writes.length = 0;
  assert.deepEqual(await move(api), history);
  assert.deepEqual(api.writes, [], "it is done once");
});

Deno.test("it is the deployed revision that is moved, also behind one that failed", async () => {
  await using api = clusterWith(["deployed", OLD], ["failed", object("v1", "ConfigMap")]);
  const history = await move(api);
  assert.deepEqual(history.map(({ revision, status }) => `${revision} ${status}`), [
    "1 superseded",
    "2 failed",
    "3 deployed",
  ]);
  assert.match(releaseOf(api, 3).release?.manifest ?? "", /PodDisruptionBudget/);
});

const LEFT: [name: string, revisions: [string, string][], discovery: number | undefined][] = [
  ["no release", [], 0],
  ["one without such versions, and nobody is asked", [["deployed", object("v1", "ConfigMap")]], 0],
  ["one that cannot be read", [["deployed", `${OLD}\n\t: [`]], 2],
];
for (const [name, revisions, asked] of LEFT) {
  Deno.test(`nothing is written for ${name}`, async () => {
    await using api = clusterWith(...revisions);
    let questions = 0;
    const answer = api.intercept;
    api.intercept = (request) => {
      if (/^\/apis?$/.test(request.path)) questions++;
      return answer?.(request);
    };
    const history = await releaseHistory(api.client, "shop", "web");
    assert.deepEqual(await move(api), history);
    assert.equal(await findRemovedApis(api.client, "shop", history), undefined);
    assert.deepEqual(api.writes, []);
    assert.equal(questions, 2 * (asked ?? 0));
  });
}

Deno.test("where the API server does not say what it serves, Helm says what is wrong", async () => {
  await using api = clusterWith(["deployed", OLD]);
  api.intercept = ({ path }) => path === "/apis" ? new Response("", { status: 503 }) : undefined;
  const history = await releaseHistory(api.client, "shop", "web");
  assert.deepEqual(await move(api), history);
  assert.deepEqual(api.writes, []);
});
