import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import {
  type DeployedPackage,
  type InstalledChart,
  loadPackage,
  savePackage,
} from "../zarf/mod.ts";
import {
  DeploymentRecord,
  generationsOf,
  type InterruptedRecord,
  type RecordedComponent,
} from "./record.ts";

const FIXTURES = new URL("../../test/fixtures/zarf-cluster/nodeport/", import.meta.url);
const REAL: DeployedPackage = JSON.parse(
  Deno.readTextFileSync(new URL("zarf-package-app-small.decoded.json", FIXTURES)),
);

/** A component that has manifests, or only actions and files. */
function part(name: string, inCluster = true): RecordedComponent {
  const nothing = { charts: [], dataInjections: [], healthChecks: [], imageArchives: [] };
  const images = inCluster ? ["web:1"] : [];
  return { name, ...nothing, images, manifests: [], repos: [] };
}

const SHOP = {
  name: "shop",
  digest: "sha256:1",
  raw: { metadata: { name: "shop" } },
  components: [part("web"), part("db")],
};

function cluster(): ApiObjects {
  const api = new ApiObjects();
  api.put(namespace("zarf"));
  return api;
}

function chart(chartName: string, status = "Succeeded"): InstalledChart {
  return { namespace: "shop", chartName, status };
}

/** Name, status, generation and releases of each component. */
async function components(api: ApiObjects, name = "shop"): Promise<string[]> {
  const record = await loadPackage(api.client, name);
  return (record?.deployedComponents ?? []).map((one) =>
    `${one.name} ${one.status} ${one.observedGeneration}: ` +
    one.installedCharts.map(({ chartName, status }) => `${chartName}=${status}`).join()
  );
}

Deno.test("beginning reads and writes nothing", async () => {
  await using api = cluster();
  const record = await DeploymentRecord.begin(api.client, SHOP);
  assert.equal(record.generation, 1);
  assert.deepEqual(api.writes, []);
  assert.equal(await loadPackage(api.client, "shop"), undefined);
});

Deno.test("a component is written as it stands, under this deployment's package", async () => {
  await using api = cluster();
  const record = await DeploymentRecord.begin(api.client, SHOP);
  await record.component("web", "Deploying", []);
  assert.deepEqual(await components(api), ["web Deploying 1: "]);
  await record.component("web", "Deploying", [chart("a")]);
  await record.component("web", "Succeeded", [chart("a"), chart("b")]);
  await record.component("db", "Failed", [chart("c", "Failed")]);
  assert.deepEqual(await components(api), [
    "web Succeeded 1: a=Succeeded,b=Succeeded",
    "db Failed 2: c=Failed",
  ]);
  const saved = await loadPackage(api.client, "shop");
  assert.deepEqual(
    {
      digest: saved?.digest,
      data: saved?.data,
      cliVersion: saved?.cliVersion,
      generation: saved?.generation,
      packageConnectivity: saved?.packageConnectivity,
    },
    {
      digest: "sha256:1",
      data: SHOP.raw,
      cliVersion: "v0.84.0",
      generation: 2,
      packageConnectivity: "airgap",
    },
  );
});

Deno.test("a deployment goes on from what the real Zarf left", async () => {
  await using api = cluster();
  await savePackage(api.client, REAL);
  const [before] = REAL.deployedComponents;
  assert.ok(before && before.installedCharts.length > 0);
  const record = await DeploymentRecord.begin(api.client, { ...SHOP, name: "app-small" });
  assert.equal(record.generation, REAL.generation + 1);
  await record.component("web", "Deploying", []);
  const [after] = (await loadPackage(api.client, "app-small"))?.deployedComponents ?? [];
  assert.deepEqual(after?.installedCharts, before.installedCharts, "no release is forgotten");
  assert.equal(after?.observedGeneration, REAL.generation + 1);
  assert.equal(after?.status, "Deploying");
});

Deno.test("components that are still to come keep what an earlier deployment said", async () => {
  await using api = cluster();
  const first = await DeploymentRecord.begin(api.client, SHOP);
  for (const name of ["web", "db"]) await first.component(name, "Succeeded", [chart(name)]);
  assert.equal(first.latest, 2);
  const second = await DeploymentRecord.begin(api.client, { ...SHOP, digest: "sha256:2" });
  await second.component("web", "Failed", [chart("web", "Failed")]);
  assert.deepEqual(await components(api), [
    "web Failed 3: web=Failed",
    "db Succeeded 2: db=Succeeded",
  ]);
  assert.equal((await loadPackage(api.client, "shop"))?.generation, 3);
  assert.equal((await loadPackage(api.client, "shop"))?.digest, "sha256:2");
});

Deno.test("a component that is gone is forgotten once nothing of it is installed", async () => {
  const rows: [name: string, charts: InstalledChart[], kept: boolean][] = [
    ["with a release", [chart("old")], true],
    ["without one", [], false],
  ];
  for (const [name, charts, kept] of rows) {
    await using api = cluster();
    const first = await DeploymentRecord.begin(api.client, SHOP);
    await first.component("old", "Succeeded", charts);
    const second = await DeploymentRecord.begin(api.client, {
      ...SHOP,
      components: [part("new")],
    });
    await second.component("new", "Succeeded", []);
    api.writes.length = 0;
    await second.finish(["new"]);
    const names = (await components(api)).map((line) => line.split(" ")[0]);
    assert.deepEqual(names, kept ? ["new", "old"] : ["new"], name);
    assert.equal(api.writes.length, kept ? 0 : 1, "it is written only if it changed");
  }
});

Deno.test("the generation grows with each component, and begins anew where the cluster is not needed", () => {
  const rows: [inCluster: boolean[], first: number, expected: number[]][] = [
    [[true, true, true], 1, [1, 2, 3]],
    [[true, true], 4, [4, 5]],
    [[false, true, true], 4, [1, 4, 5]],
    [[true, false, true], 4, [4, 1, 2]],
    [[false, false], 4, [1, 1]],
    [[], 4, []],
  ];
  for (const [inCluster, first, expected] of rows) {
    const parts = inCluster.map((one, at) => part(`${at}`, one));
    assert.deepEqual([...generationsOf(parts, first).values()], expected, `${inCluster}`);
  }
});

Deno.test("each part of a component that goes into the cluster counts", () => {
  const lists = [
    ...["charts", "dataInjections", "healthChecks", "imageArchives", "images", "manifests"],
    "repos",
  ];
  for (const list of lists) {
    const component = { ...part("web", false), [list]: [{}] } as unknown as RecordedComponent;
    assert.deepEqual([...generationsOf([component], 7).values()], [7], list);
  }
});

/** What the journal knows of a deployment that has written its record. */
function wrote({ generation }: DeploymentRecord): InterruptedRecord {
  return { generation, wrote: "yes" };
}

Deno.test("an interrupted deployment goes on wherever it was, unless somebody else has deployed", async () => {
  for (const reached of [["web"], ["web", "db"]]) {
    await using api = cluster();
    const first = await DeploymentRecord.begin(api.client, SHOP);
    for (const name of reached) await first.component(name, "Deploying", []);
    const again = await DeploymentRecord.begin(api.client, SHOP, wrote(first));
    assert.equal(again.generation, first.generation, `${reached}`);
    const other = await DeploymentRecord.begin(
      api.client,
      { ...SHOP, digest: "sha256:2" },
      wrote(first),
    );
    assert.equal(other.generation, reached.length + 1, "it is another package");
  }
  await using api = cluster();
  const first = await DeploymentRecord.begin(api.client, SHOP);
  await first.component("web", "Deploying", []);
  const laptop = await DeploymentRecord.begin(api.client, SHOP);
  for (const name of ["web", "db"]) await laptop.component(name, "Succeeded", []);
  const again = await DeploymentRecord.begin(api.client, SHOP, wrote(first));
  assert.equal(again.generation, 4);
});

Deno.test("one that has written nothing yet goes on from what it found, whoever wrote that", async () => {
  const rows: [wrote: InterruptedRecord["wrote"], deployed: number, goesOn: boolean][] = [
    ["no", 0, true],
    ["perhaps", 0, true],
    ["yes", 0, false],
    ["no", 1, false],
    ["perhaps", 1, true],
    ["perhaps", 2, true],
    ["perhaps", 3, false],
  ];
  for (const [wrote, deployed, goesOn] of rows) {
    await using api = cluster();
    const before = await DeploymentRecord.begin(api.client, SHOP);
    for (const { name } of SHOP.components) await before.component(name, "Succeeded", []);
    const { generation } = await DeploymentRecord.begin(api.client, SHOP);
    assert.equal(generation, 3);
    for (let at = 0; at < deployed; at++) {
      const { components: [, ...rest] } = SHOP;
      const [one] = SHOP.components;
      const pkg = { ...SHOP, components: at === 0 ? SHOP.components : rest };
      const other = await DeploymentRecord.begin(api.client, pkg);
      await other.component(at === 0 ? one?.name ?? "" : rest[0]?.name ?? "", "Deploying", []);
    }
    const again = await DeploymentRecord.begin(api.client, SHOP, { generation, wrote });
    const expected = goesOn ? generation : 3 + deployed;
    assert.equal(again.generation, expected, `${wrote}, ${deployed}`);
  }
});
