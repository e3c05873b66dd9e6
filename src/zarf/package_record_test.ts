import assert from "node:assert/strict";
import * as v from "valibot";
import {
  type DeployedPackage,
  DeployedPackageSchema,
  mergeInstalledCharts,
  packageSecretName,
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
