import assert from "node:assert/strict";
import { gunzipSync, gzipSync } from "node:zlib";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { deployedRevision, markFailed, releaseHistory, repairRelease } from "./release.ts";

/** A cluster with revisions of release `web` in namespace `shop`, the first one first. */
function cluster(...statuses: string[]): ApiObjects {
  const api = new ApiObjects();
  for (const name of ["shop", "other"]) api.put(namespace(name));
  statuses.forEach((status, index) => revision(api, "web", index + 1, status));
  return api;
}

function revision(
  api: ApiObjects,
  release: string,
  version: number | string,
  status: string,
  more = {},
) {
  api.put({
    apiVersion: "v1",
    kind: "Secret",
    metadata: {
      name: `sh.helm.release.v1.${release}.v${version}`,
      namespace: "shop",
      labels: { owner: "helm", name: release, status, version: String(version) },
      ...more,
    },
  });
}

Deno.test("a release's history is told by number, not by the names of Secrets", async () => {
  await using api = cluster(...Array(11).fill("superseded"), "deployed");
  const history = await releaseHistory(api.client, "shop", "web");
  assert.deepEqual(history.map(({ revision }) => revision), [
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
    11,
    12,
  ]);
  assert.equal(history.at(-1)?.secret, "sh.helm.release.v1.web.v12");
  assert.equal(deployedRevision(history), 12);
});

Deno.test("other releases, other owners and what is no revision are not part of it", async () => {
  await using api = cluster("deployed");
  revision(api, "webshop", 2, "deployed");
  const elsewhere = { name: "sh.helm.release.v1.web.v2", namespace: "other" };
  const labels = { owner: "helm", name: "web", status: "deployed", version: "2" };
  revision(api, "web", 2, "deployed", { ...elsewhere, labels });
  revision(api, "web", 3, "deployed", { labels: { ...labels, owner: "tiller" } });
  revision(api, "web", "next", "deployed");
  revision(api, "web", 5, "deployed", { labels: { owner: "helm", name: "web" } });
  assert.deepEqual(await releaseHistory(api.client, "shop", "web"), [
    { revision: 1, status: "deployed", secret: "sh.helm.release.v1.web.v1" },
  ]);
});

Deno.test("a release that never was has no history and nothing to repair", async () => {
  await using api = cluster();
  assert.deepEqual(await repairRelease(api.client, "shop", "web"), []);
  assert.deepEqual(api.writes, []);
});

Deno.test("only revisions in the middle of an operation are forgotten", async () => {
  const rows: [statuses: string[], left: string[], deployed: number | undefined][] = [
    [["deployed"], ["deployed"], 1],
    [["pending-install"], [], undefined],
    [["failed"], ["failed"], undefined],
    [["superseded", "deployed", "pending-upgrade"], ["superseded", "deployed"], 2],
    [["deployed", "failed", "pending-rollback"], ["deployed", "failed"], 1],
    [["deployed", "pending-upgrade", "pending-upgrade"], ["deployed"], 1],
    [["uninstalled"], ["uninstalled"], undefined],
    [["uninstalling"], ["uninstalling"], undefined],
  ];
  for (const [statuses, left, deployed] of rows) {
    await using api = cluster(...statuses);
    const history = await repairRelease(api.client, "shop", "web");
    assert.deepEqual(history.map(({ status }) => status), left, statuses.join());
    assert.equal(deployedRevision(history), deployed);
    assert.deepEqual(await releaseHistory(api.client, "shop", "web"), history);
    assert.equal(api.writes.length, statuses.length - left.length);
  }
});

/** A Secret's content as Helm writes it. */
function packed(release: unknown): string {
  const bytes = new TextEncoder().encode(JSON.stringify(release));
  return btoa(gzipSync(bytes).toString("base64"));
}

function unpacked(text: string): unknown {
  return JSON.parse(gunzipSync(Uint8Array.fromBase64(atob(text))).toString());
}

Deno.test("a revision that failed says so, by its label and in what Helm reads of it", async () => {
  const rows: [status: string, data: unknown, after: string][] = [
    ["deployed", packed({ name: "web", info: { status: "deployed", notes: "n" } }), "failed"],
    ["pending-upgrade", packed({ name: "web", info: { status: "pending-upgrade" } }), "failed"],
    ["deployed", btoa("no base64 of gzip"), "failed"],
    ["deployed", undefined, "failed"],
    ["superseded", packed({ info: { status: "superseded" } }), "superseded"],
  ];
  for (const [status, release, after] of rows) {
    await using api = cluster(status);
    const [secret] = api.all("secrets");
    assert.ok(secret);
    if (release !== undefined) api.put({ ...secret, data: { release } });
    const [last] = await releaseHistory(api.client, "shop", "web");
    assert.ok(last);
    await markFailed(api.client, "shop", last, "not ready within 1 s");
    const [changed] = api.all("secrets");
    assert.equal(changed?.metadata.labels?.["status"], after);
    if (typeof release !== "string" || after !== "failed" || release.length < 40) continue;
    assert.deepEqual(unpacked(changed?.["data"].release), {
      name: "web",
      info: {
        ...(unpacked(release) as { info: object }).info,
        ...{ status: "failed", description: "not ready within 1 s" },
      },
    });
  }
});
