import assert from "node:assert/strict";
import * as v from "valibot";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { ensureInitRecord } from "./init_record.ts";
import {
  type DeployedPackage,
  DeployedPackageSchema,
  loadPackage,
  savePackage,
} from "./package_record.ts";

const IMAGE = "docker.io/library/registry:3.1.2";
const WRITTEN = "PATCH secrets/zarf-package-init";
const REAL: DeployedPackage = v.parse(
  DeployedPackageSchema,
  JSON.parse(Deno.readTextFileSync(
    new URL(
      "../../test/fixtures/zarf-cluster/nodeport/zarf-package-init.decoded.json",
      import.meta.url,
    ),
  )),
);

async function withApi(action: (api: ApiObjects) => Promise<void>): Promise<void> {
  await using api = new ApiObjects();
  api.put(namespace("zarf"));
  await action(api);
}

Deno.test("where no package has the registry, a record of an init package says what it is", () =>
  withApi(async (api) => {
    await ensureInitRecord(api.client, IMAGE);
    const record = await loadPackage(api.client, "init");
    assert(record);
    assert.equal(record.data["kind"], "ZarfInitConfig");
    assert.deepEqual(record.data["components"], [{
      name: "zarf-registry",
      required: true,
      images: [IMAGE],
    }]);
    const [real] = REAL.deployedComponents.filter(({ name }) => name === "zarf-registry");
    const [ours] = record.deployedComponents;
    assert.deepEqual([ours?.name, ours?.status], [real?.name, real?.status]);
    const registry = real?.installedCharts.find((one) => one.chartName === "zarf-docker-registry");
    assert.deepEqual(ours?.installedCharts, [registry]);
    await ensureInitRecord(api.client, IMAGE);
    assert.deepEqual(api.writes, [WRITTEN], "once");
  }));

Deno.test("another image of the registry is recorded in the place of the first", () =>
  withApi(async (api) => {
    await ensureInitRecord(api.client, IMAGE);
    await ensureInitRecord(api.client, "docker.io/library/registry:3.2.0");
    assert.deepEqual(api.writes, [WRITTEN, WRITTEN]);
    const record = await loadPackage(api.client, "init");
    assert.equal(record?.generation, 2);
    assert.match(JSON.stringify(record?.data), /registry:3\.2\.0/);
  }));

for (
  const [what, record] of [
    ["Zarf's own init package", REAL],
    ["an init package of another name", { ...REAL, name: "init-of-ours" }],
  ] as const
) {
  Deno.test(`the record of ${what} is not touched`, () =>
    withApi(async (api) => {
      await savePackage(api.client, record);
      api.writes.length = 0;
      await ensureInitRecord(api.client, IMAGE);
      assert.deepEqual(api.writes, []);
    }));
}

Deno.test("packages that are no init packages do not count", () =>
  withApi(async (api) => {
    const data = { ...REAL.data, kind: "ZarfPackageConfig" };
    await savePackage(api.client, { ...REAL, name: "web", data });
    await ensureInitRecord(api.client, IMAGE);
    assert(await loadPackage(api.client, "init"));
  }));

Deno.test("a record that cannot be read keeps nobody from working", () =>
  withApi(async (api) => {
    api.put({
      apiVersion: "v1",
      kind: "Secret",
      metadata: {
        name: "zarf-package-broken",
        namespace: "zarf",
        labels: { "package-deploy-info": "broken" },
      },
      data: { data: btoa("no JSON") },
    } as AnyObject);
    await ensureInitRecord(api.client, IMAGE);
    assert.deepEqual(api.writes, []);
  }));
