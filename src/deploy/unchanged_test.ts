import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { type HelmRelease, loadRelease, parseRelease } from "./helm_release.ts";
import type { PlannedRelease } from "./plan.ts";
import { FILE_ANNOTATION, postRender } from "./post_render.ts";
import type { Revision } from "./release.ts";
import { type Standing, standingOf } from "./unchanged.ts";

const OWNED = {
  labels: { "app.kubernetes.io/managed-by": "Helm", "zarf.dev/package": "shop" },
  annotations: { "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "shop" },
};
const MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {value: one}\n";
const ROLE = "apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\n" +
  "metadata: {name: r}\nrules: []\n";
const HOOK = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: h, annotations: " +
  "{helm.sh/hook: EVENT}}\ndata: {value: x}\n";

/** What is deployed, what is to be, and what somebody did in between. */
interface Case {
  readonly name: string;
  readonly is: Standing["is"];
  /** @default MAP and ROLE */
  readonly wanted?: string;
  readonly raw?: boolean;
  readonly planned?: Partial<PlannedRelease>;
  /** Changes to what is kept of the release. */
  readonly stored?: Record<string, unknown>;
  /** Changes to what the chart would make now. */
  readonly next?: Record<string, unknown>;
  readonly history?: readonly Partial<Revision>[];
  readonly meanwhile?: (api: ApiObjects) => void;
}

const BOTH = `${MAP}---\n${ROLE}`;
const hook = (event: string) => `${BOTH}---\n${HOOK.replace("EVENT", event)}`;
const kept = (event: string) => ({ manifest: HOOK.replace("EVENT", event), events: [event] });

const CASES: readonly Case[] = [
  { name: "a raw chart that is there", is: "same", raw: true },
  { name: "a chart that is there", is: "same" },
  {
    name: "objects with Helm's own mark",
    is: "same",
    wanted: BOTH.replace("{name: a}", `{name: a, annotations: {${FILE_ANNOTATION}: x.yaml}}`),
  },
  { name: "objects in another order", is: "same", wanted: `${ROLE}---\n${MAP}` },
  { name: "another value", is: "different", wanted: BOTH.replace("one", "two") },
  { name: "an object less", is: "different", wanted: MAP },
  { name: "an object more", is: "different", wanted: `${BOTH}---\n${MAP.replace("a}", "b}")}` },
  {
    name: "another version of the chart",
    is: "different",
    next: { chart: { metadata: { name: "2" } } },
  },
  {
    name: "another chart with the same objects, of raw ones",
    is: "same",
    raw: true,
    stored: { chart: {} },
  },
  { name: "other values with the same objects", is: "different", next: { config: { a: 1 } } },
  {
    name: "no values, said in two ways",
    is: "same",
    stored: { config: null },
    next: { config: {} },
  },
  { name: "a chart that Helm cannot try", is: "different", next: { none: true } },
  { name: "a release of an older Helm", is: "different", stored: { apply_method: "csa" } },
  { name: "a release that does not say how", is: "different", stored: { apply_method: undefined } },
  { name: "a wish for another way", is: "different", planned: { serverSide: "false" } },
  {
    name: "a hook of upgrades",
    is: "different",
    wanted: hook("post-upgrade"),
    stored: { hooks: [kept("post-upgrade")] },
  },
  {
    name: "a hook of installs",
    is: "same",
    wanted: hook("post-install"),
    stored: { hooks: [kept("post-install")] },
  },
  {
    name: "a hook of installs that is another one",
    is: "different",
    wanted: hook("post-install"),
    stored: {
      hooks: [{ ...kept("post-install"), manifest: kept("post-install").manifest + "x: 1\n" }],
    },
  },
  { name: "a hook that is new", is: "different", raw: true, wanted: hook("pre-install") },
  {
    name: "names that the server makes up",
    is: "different",
    stored: { manifest: `${preview(BOTH).yaml}---\n${MAP.replace("name: a", "generateName: a-")}` },
  },
  {
    name: "a revision that failed",
    is: "different",
    history: [{}, { revision: 2, status: "failed" }],
  },
  { name: "no revision", is: "different", history: [] },
  { name: "a revision whose Secret is gone", is: "different", history: [{ secret: "none" }] },
  {
    name: "an object that somebody deleted",
    is: "drifted",
    meanwhile: (api) => api.remove(api.find("configmaps", "a") ?? assert.fail()),
  },
  {
    name: "an object that is being deleted",
    is: "drifted",
    meanwhile: (api) => edit(api, { deletionTimestamp: "2026-01-01T00:00:00Z" }),
  },
  {
    name: "a value that somebody changed",
    is: "drifted",
    meanwhile: (api) => edit(api, {}, { data: { value: "edited" } }),
  },
  {
    name: "a value that somebody added",
    is: "same",
    meanwhile: (api) => edit(api, {}, { data: { value: "one", more: "theirs" } }),
  },
  { name: "a status", is: "same", meanwhile: (api) => edit(api, {}, { status: { x: 1 } }) },
  {
    name: "a field that is somebody else's now",
    is: "drifted",
    meanwhile: (api) => {
      api.intercept = ({ method }) => method === "PATCH" ? status(409, "Conflict") : undefined;
    },
  },
];

function edit(api: ApiObjects, metadata: object, more: object = {}): void {
  const found = api.find("configmaps", "a") ?? assert.fail();
  api.put({ ...found, ...more, metadata: { ...found.metadata, ...metadata } });
}

function secret(release: unknown): string {
  return new TextEncoder().encode(gzipSync(JSON.stringify(release)).toBase64()).toBase64();
}

/** A cluster where release `web` was made of {@linkcode BOTH}. */
function cluster(stored: Record<string, unknown>): ApiObjects {
  const api = new ApiObjects();
  api.put(namespace("shop"));
  const metadata = { name: "a", namespace: "shop", ...OWNED };
  api.put({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { value: "one" } });
  api.put({
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: "r", ...OWNED },
    rules: [],
  });
  api.put({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "v1", namespace: "shop" },
    data: { release: secret(stored) },
  });
  return api;
}

function preview(text: string) {
  return postRender(text, { packageName: "shop", templates: new Map() });
}

for (const row of CASES) {
  Deno.test(`standing of a release: ${row.name}`, async () => {
    const base = { chart: { metadata: { name: "web" } }, config: {}, apply_method: "ssa" };
    const { yaml } = preview(BOTH);
    await using api = cluster({ ...base, manifest: yaml, ...row.stored });
    row.meanwhile?.(api);
    const wanted = row.wanted ?? BOTH;
    const next = { ...base, manifest: wanted, hooks: [], ...row.next };
    const standing = await standingOf({
      kube: api.client,
      planned: {
        title: "web",
        release: "web",
        namespace: "shop",
        chart: "/chart",
        valuesFiles: [],
        noWait: false,
        schemaValidation: true,
        serverSide: "auto",
        ...(row.raw ? { literal: wanted } : {}),
        ...row.planned,
      },
      preview: preview(wanted),
      next: row.raw || row.next?.["none"] ? undefined : next as HelmRelease,
      history: (row.history ?? [{}]).map((one) => ({
        ...{ revision: 1, status: "deployed", secret: "v1" },
        ...one,
      })),
    });
    assert.equal(standing.is, row.is);
    if (standing.is === "same") assert.equal(standing.objects.length, 2);
    assert.deepEqual(api.writes, [], "it only asks");
  });
}

Deno.test("what is no release of Helm's is none", async () => {
  assert.equal(parseRelease("{"), undefined);
  assert.equal(parseRelease('{"manifest": ""}'), undefined, "without a chart");
  await using api = new ApiObjects();
  api.put(namespace("shop"));
  const put = (release: string | undefined) =>
    api.put({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "r", namespace: "shop" },
      data: { release },
    });
  for (const bad of [undefined, "###", btoa("###"), btoa(btoa("no gzip"))]) {
    put(bad);
    assert.equal(await loadRelease(api.client, "shop", "r"), undefined, String(bad));
  }
  put(secret({ chart: {}, manifest: "a", hooks: [{ manifest: "b" }] }));
  assert.equal((await loadRelease(api.client, "shop", "r"))?.manifest, "a");
  assert.equal(await loadRelease(api.client, "shop", "other"), undefined);
});
