import assert from "node:assert/strict";
import { parseDefinition, type ZarfComponent } from "../package/mod.ts";
import type { ComponentSource } from "./component_files.ts";
import { DeployError } from "./errors.ts";
import { chartOverrides, planChart, planManifest } from "./plan.ts";

function component(parts: Record<string, unknown>): ZarfComponent {
  return first(
    parseDefinition(new TextEncoder().encode(JSON.stringify({
      kind: "ZarfPackageConfig",
      metadata: { name: "shop" },
      components: [{ name: "web", ...parts }],
    }))).components,
  );
}

function first<T>(items: readonly T[]): T {
  const [item] = items;
  assert.ok(item !== undefined);
  return item;
}

const VARIABLES = new Map([
  ["TITLE", { value: "Shop", sensitive: false }],
  ["SIZE", { value: "3", sensitive: false }],
]);

/** A component whose files are `files`, and an empty directory to plan into. */
function place(parts: Record<string, unknown>, files: Record<string, string>) {
  const root = Deno.makeTempDirSync();
  for (const [path, text] of Object.entries(files)) {
    const file = `${root}/source/${path}`;
    Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    Deno.writeTextFileSync(file, text);
  }
  Deno.mkdirSync(`${root}/plan`);
  const source: ComponentSource = {
    packageName: "shop",
    component: component(parts),
    directory: `${root}/source`,
    templates: new Map([["###ZARF_VAR_TITLE###", { value: "Shop" }]]),
    variables: VARIABLES,
  };
  return {
    source,
    directory: `${root}/plan`,
    [Symbol.dispose]: () => Deno.removeSync(root, { recursive: true }),
  };
}

Deno.test("a manifest entry becomes one release of its files and kustomizations", async () => {
  const parts = {
    manifests: [{
      name: "m",
      namespace: "shop",
      files: ["a.yaml", "b.yaml"],
      kustomizations: ["k"],
      noWait: true,
    }],
  };
  using at = place(parts, {
    "manifests/m-0.yaml": "a: ###ZARF_VAR_TITLE###",
    "manifests/m-1.yaml": "b: 1",
    "manifests/kustomization-m-0.yaml": "k: 1",
  });
  const manifest = first(at.source.component.manifests);
  const planned = await planManifest(manifest, at.source, at.directory, "0.1.7");
  assert.equal(planned.namespace, "shop");
  assert.match(planned.release, /^zarf-[0-9a-f]{40}$/);
  assert.equal(planned.noWait, true);
  assert.equal(planned.serverSide, "auto");
  assert.equal(planned.literal, "a: Shop\n---\nb: 1\n---\nk: 1");
  assert.equal(JSON.parse(Deno.readTextFileSync(`${planned.chart}/Chart.yaml`)).version, "0.1.7");
  assert.deepEqual(
    [...Deno.readDirSync(`${planned.chart}/templates`)].map(({ name }) => name).sort(),
    [
      "manifest-0.yaml",
      "manifest-1.yaml",
      "manifest-2.yaml",
    ],
  );
});

Deno.test("a chart has its values in order, the variables last, and nobody else can read them", async () => {
  const parts = {
    charts: [{
      name: "c",
      version: "1.0.0",
      namespace: "shop",
      valuesFiles: ["x.yaml", "y.yaml"],
      variables: [{ name: "title", path: "page.title" }],
    }],
  };
  using at = place(parts, {
    "values/c-1.0.0-0": "t: ###ZARF_VAR_TITLE###",
    "values/c-1.0.0-1": "u: 1",
  });
  const planned = await planChart(first(at.source.component.charts), at.source, at.directory);
  assert.equal(planned.release, "c");
  assert.equal(planned.chart, `${at.source.directory}/charts/c-1.0.0.tgz`);
  assert.deepEqual(planned.valuesFiles.map((file) => Deno.readTextFileSync(file)), [
    "t: Shop",
    "u: 1",
    '{"page":{"title":"Shop"}}',
  ]);
  for (const file of planned.valuesFiles) {
    assert.equal((Deno.statSync(file).mode ?? 0) & 0o077, 0);
  }
});

Deno.test("a chart without a version has names without one, and may be called otherwise", async () => {
  const parts = { charts: [{ name: "c", releaseName: "r", valuesFiles: ["x"] }] };
  using at = place(parts, { "values/c-0": "" });
  const planned = await planChart(first(at.source.component.charts), at.source, at.directory);
  assert.equal(planned.chart, `${at.source.directory}/charts/c.tgz`);
  assert.equal(planned.release, "r");
  assert.equal(planned.namespace, "default");
});

Deno.test("a file that is missing or is no text is named", async () => {
  using at = place({ manifests: [{ name: "m", files: ["a", "b"] }] }, {
    "manifests/m-0.yaml": "a",
  });
  Deno.writeFileSync(`${at.source.directory}/manifests/m-1.yaml`, new Uint8Array([0xff, 0xfe, 0]));
  const attempt = () =>
    planManifest(first(at.source.component.manifests), at.source, at.directory, "0.1.1");
  await assert.rejects(attempt, (error) => {
    assert.ok(error instanceof DeployError);
    assert.match(error.message, /component "web": manifests\/m-1\.yaml/);
    return true;
  });
});

Deno.test("variables are set at their dotted paths", () => {
  const chart = (variables: { name: string; path: string }[]) => ({
    name: "c",
    variables: variables.map((variable) => ({ description: "", ...variable })),
  });
  assert.deepEqual(
    JSON.parse(JSON.stringify(chartOverrides(
      chart([
        { name: "TITLE", path: "page.title" },
        { name: "size", path: ".page.size" },
        { name: "UNSET", path: "x" },
      ]),
      VARIABLES,
    ))),
    { page: { title: "Shop", size: "3" } },
  );
  assert.throws(
    () =>
      chartOverrides(
        chart([{ name: "TITLE", path: "page" }, { name: "SIZE", path: "page.size" }]),
        VARIABLES,
      ),
    /page\.size/,
  );
});

Deno.test("a chart is given the path of a variable of type file, as by Zarf", () => {
  const variables = [{ name: "CA", description: "", path: "ca" }];
  const given = new Map([["CA", { value: "content", given: "/etc/ca.pem", sensitive: false }]]);
  assert.deepEqual(chartOverrides({ name: "c", variables }, given), { ca: "/etc/ca.pem" });
});

Deno.test("without a program that fills in templates, only what has any fails", async () => {
  const parts = {
    manifests: [{ name: "m", files: ["a"], kustomizations: ["k"], template: true }],
    charts: [
      { name: "c", templatedValuesFiles: ["a"] },
      { name: "d", values: [{ sourcePath: ".", targetPath: "." }] },
    ],
  };
  using at = place(parts, {
    "manifests/m-0.yaml": "",
    "manifests/kustomization-m-0.yaml": "",
    "values/c-0": "",
  });
  const { manifests, charts } = at.source.component;
  const attempts = [
    () => planManifest(first(manifests), at.source, at.directory, "0.1.1"),
    ...charts.map((chart) => () => planChart(chart, at.source, at.directory)),
  ];
  assert.equal(attempts.length, 3);
  for (const attempt of attempts) {
    await assert.rejects(attempt, (error) => {
      assert.ok(error instanceof DeployError);
      assert.equal(error.reason, "TemplateFailed");
      assert.match(error.message, /component "web".*no program/);
      return true;
    });
  }
});

Deno.test("a path of odd keys changes nothing but the values", () => {
  const variables = [{ name: "TITLE", description: "", path: "__proto__.polluted" }];
  chartOverrides({ name: "c", variables }, VARIABLES);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

Deno.test("a package says itself how its objects are applied", async () => {
  for (const serverSideApply of ["true", "false", "auto", undefined]) {
    const parts = {
      manifests: [{ name: "m", files: ["a"], serverSideApply }],
      charts: [{ name: "c", serverSideApply, schemaValidation: false, noWait: true }],
    };
    using at = place(parts, { "manifests/m-0.yaml": "a: 1" });
    const { manifests, charts } = at.source.component;
    const manifest = await planManifest(first(manifests), at.source, at.directory, "0.1.1");
    const chart = await planChart(first(charts), at.source, at.directory);
    assert.equal(manifest.serverSide, serverSideApply ?? "auto");
    assert.equal(chart.serverSide, serverSideApply ?? "auto");
    assert.equal(manifest.schemaValidation, true);
    assert.equal(chart.schemaValidation, false);
    assert.equal(manifest.noWait, false);
    assert.equal(chart.noWait, true);
    assert.equal(manifest.namespace, "default");
  }
});

Deno.test("a chart whose pods wait for data is not waited for, a manifest entry is", async () => {
  const target = { namespace: "n", selector: "a=b", container: "c", path: "/d" };
  for (const dataInjections of [[], [{ source: "s", target }]]) {
    const parts = {
      dataInjections,
      charts: [{ name: "c", version: "1", namespace: "n" }],
      manifests: [{ name: "m", namespace: "n", files: ["a.yaml"] }],
    };
    using chart = place(parts, { "manifests/m-0.yaml": "a: 1\n" });
    const planned = await planChart(
      first(chart.source.component.charts),
      chart.source,
      chart.directory,
    );
    assert.equal(planned.noWait, dataInjections.length > 0);
    using manifest = place(parts, { "manifests/m-0.yaml": "a: 1\n" });
    const entry = first(manifest.source.component.manifests);
    const release = await planManifest(entry, manifest.source, manifest.directory, "0.1.0");
    assert.equal(release.noWait, false);
  }
});
