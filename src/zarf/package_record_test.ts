import assert from "node:assert/strict";
import * as v from "valibot";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { decodeBase64, encodeBase64 } from "./base64.ts";
import { ZarfError } from "./errors.ts";
import {
  type DeployedPackage,
  DeployedPackageSchema,
  listPackages,
  loadPackage,
  mergeInstalledCharts,
  packageSecretName,
  savePackage,
  serializePackage,
} from "./package_record.ts";

const FIXTURES = new URL("../../test/fixtures/zarf-cluster/nodeport/", import.meta.url);

for (const name of ["app-small", "app-chart", "init"]) {
  Deno.test(`the record of ${name} that the real Zarf wrote comes through unchanged`, () => {
    const real = JSON.parse(
      Deno.readTextFileSync(new URL(`zarf-package-${name}.decoded.json`, FIXTURES)),
    );
    const record = v.parse(DeployedPackageSchema, real);
    assert.deepEqual(JSON.parse(serializePackage(record)), real);
  });
}

Deno.test("the connect strings of a record are those of all its charts", () => {
  const record: DeployedPackage = {
    name: "a",
    digest: "",
    data: {},
    cliVersion: "v0.84.0",
    generation: 1,
    packageConnectivity: "airgap",
    connectStrings: { stale: { description: "", url: "" } },
    deployedComponents: ["one", "two"].map((name) => ({
      name,
      status: "Succeeded",
      observedGeneration: 1,
      installedCharts: [{
        namespace: "n",
        chartName: name,
        status: "Succeeded",
        connectStrings: { [name]: { description: name, url: "/" } },
      }],
    })),
  };
  assert.deepEqual(Object.keys(JSON.parse(serializePackage(record)).connectStrings), [
    "one",
    "two",
  ]);
});

Deno.test("a release is replaced by its newer state and never forgotten", () => {
  const chart = (chartName: string, status: string, namespace = "n") => ({
    namespace,
    chartName,
    status,
  });
  const merged = mergeInstalledCharts(
    [chart("a", "Failed"), chart("b", "Succeeded"), chart("a", "Succeeded", "other")],
    [chart("a", "Succeeded"), chart("c", "Failed")],
  );
  assert.deepEqual(merged, [
    chart("a", "Succeeded"),
    chart("b", "Succeeded"),
    chart("a", "Succeeded", "other"),
    chart("c", "Failed"),
  ]);
});

Deno.test("a package's secret has Zarf's name", () => {
  assert.equal(packageSecretName("app-small"), "zarf-package-app-small");
});

function realRecord(name: string): DeployedPackage {
  const text = Deno.readTextFileSync(new URL(`zarf-package-${name}.decoded.json`, FIXTURES));
  return v.parse(DeployedPackageSchema, JSON.parse(text));
}

/** A cluster with Secret `zarf-package-<name>` of this content. */
function clusterWith(name: string, data: unknown): ApiObjects {
  const api = new ApiObjects();
  api.put(namespace("zarf"));
  const metadata = {
    name: `zarf-package-${name}`,
    namespace: "zarf",
    labels: { "package-deploy-info": name },
  };
  api.put({ apiVersion: "v1", kind: "Secret", metadata, data } as never);
  return api;
}

Deno.test("records are saved under Zarf's name and labels, and read back the same", async () => {
  await using api = new ApiObjects();
  api.put(namespace("zarf"));
  assert.deepEqual(await listPackages(api.client), []);
  assert.equal(await loadPackage(api.client, "app-small"), undefined);
  for (const name of ["app-small", "app-chart"]) {
    await savePackage(api.client, realRecord(name));
    const secret = api.find("secrets", `zarf-package-${name}`);
    assert.deepEqual(secret?.metadata.labels, {
      "app.kubernetes.io/managed-by": "zarf",
      "package-deploy-info": name,
    });
    assert.equal(secret?.["type"], "Opaque");
    const written = JSON.parse(decodeBase64(secret?.["data"].data) ?? "");
    assert.deepEqual(written, JSON.parse(serializePackage(realRecord(name))));
    assert.deepEqual(await loadPackage(api.client, name), realRecord(name));
  }
  const forced = api.peer.seen.filter(({ method }) => method === "PATCH")
    .map(({ query }) => query.get("force"));
  assert.deepEqual(forced, ["true", "true"], "the real Zarf may have owned it before");
  const listed = await listPackages(api.client);
  assert.deepEqual(listed.map(({ name }) => name).sort(), ["app-chart", "app-small"]);
});

Deno.test("a newer Zarf's keys in a record are kept", async () => {
  const newer = {
    ...realRecord("app-small"),
    namespaceOverride: "other",
    deployedComponents: [{ name: "a", status: "Succeeded", observedGeneration: 1, future: [1] }],
  };
  await using api = clusterWith("app-small", { data: encodeBase64(JSON.stringify(newer)) });
  const loaded = await loadPackage(api.client, "app-small");
  assert.ok(loaded);
  await savePackage(api.client, loaded);
  const secret = api.find("secrets", "zarf-package-app-small");
  const saved = JSON.parse(decodeBase64(secret?.["data"].data) ?? "");
  assert.equal(saved.namespaceOverride, "other");
  assert.deepEqual(saved.deployedComponents[0].future, [1]);
});

Deno.test("an older Zarf's record is read with what it lacks", async () => {
  const data = encodeBase64('{"name":"old","data":{},"deployedComponents":null}');
  await using api = clusterWith("old", { data });
  assert.deepEqual(await loadPackage(api.client, "old"), {
    name: "old",
    digest: "",
    data: {},
    cliVersion: "",
    generation: 0,
    deployedComponents: [],
    packageConnectivity: "airgap",
  });
});

Deno.test("a record that cannot be read is named, whichever way it is looked for", async () => {
  const rows: [name: string, data: unknown][] = [
    ["no data", undefined],
    ["another key", { state: "" }],
    ["no base64", { data: "%%%" }],
    ["no JSON", { data: encodeBase64("{") }],
    ["no name", { data: encodeBase64('{"data":{}}') }],
    ["charts that are none", {
      data: encodeBase64(
        '{"name":"shop","data":{},"deployedComponents":[{"name":"a","installedCharts":[7]}]}',
      ),
    }],
  ];
  for (const [name, data] of rows) {
    await using api = clusterWith("shop", data);
    for (const look of [() => loadPackage(api.client, "shop"), () => listPackages(api.client)]) {
      await assert.rejects(look, (error) => {
        assert.ok(error instanceof ZarfError, `${name}: ${error}`);
        assert.equal(error.reason, "PackageRecordInvalid");
        assert.match(error.message, /Secret zarf\/zarf-package-shop is not/);
        assert.equal(error.disposition, "wait");
        return true;
      }, name);
    }
  }
});

Deno.test("a record without connect strings does not carry an empty list of them", () => {
  const record = { ...realRecord("app-chart"), connectStrings: {}, deployedComponents: [] };
  assert.equal("connectStrings" in JSON.parse(serializePackage(record)), false);
});
