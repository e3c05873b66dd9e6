import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import {
  Helm,
  type Manifest,
  planChart,
  planManifest,
  postRender,
  resolveVariables,
  templatesFor,
  withPrivateDirectory,
} from "../../src/deploy/mod.ts";
import { type PackageContents, type PackageSink, readPackage } from "../../src/package/mod.ts";
import { exec } from "../../src/std/mod.ts";
import { parseState } from "../../src/zarf/mod.ts";
import { POST_RENDERER } from "./support/deploy_fixture.ts";

/*
 * Packages made by the real Zarf are planned and rendered here and compared with what the real Zarf
 * left in its cluster for the same packages.
 */

const FIXTURES = new URL("../fixtures/", import.meta.url);

function fixture(name: string) {
  return JSON.parse(
    Deno.readTextFileSync(new URL(`zarf-cluster/nodeport/${name}`, FIXTURES)),
  );
}

/** Unpacks a package's files below `directory`, as the store does, its images into memory. */
function unpack(name: string, directory: string): Promise<PackageContents> {
  const bytes = Deno.readFileSync(new URL(`packages/${name}`, FIXTURES));
  const blobs = new Map<string, Uint8Array>();
  let at = 0;
  const collect = (done: (bytes: Uint8Array) => void) => {
    const chunks: Uint8Array[] = [];
    return {
      write: (chunk: Uint8Array) => void chunks.push(chunk.slice()),
      close: () => done(new Uint8Array(chunks.flatMap((chunk) => [...chunk]))),
      abort() {},
    };
  };
  const sink: PackageSink = {
    blob: (digest) => collect((content) => blobs.set(digest, content)),
    file: (path) =>
      collect((content) => {
        const file = `${directory}/${path}`;
        Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
        Deno.writeFileSync(file, content);
      }),
    directory() {},
    symlink() {},
    readBlob: (digest) => blobs.get(digest) ?? new Uint8Array(),
  };
  const source = {
    size: bytes.length,
    read(buffer: Uint8Array) {
      const part = bytes.subarray(at, at + buffer.length);
      buffer.set(part);
      at += part.length;
      return part.length;
    },
  };
  return readPackage(source, { format: "tar.zst", architecture: "amd64", sink });
}

/** What a release of a package renders to, by its title. */
async function renderAll(
  packageFile: string,
): Promise<Map<string, ReturnType<typeof postRender> & { release: string; namespace: string }>> {
  const helmPath = await ensureTool(TOOLS.helm);
  return await withPrivateDirectory(Deno.makeTempDirSync(), async (root) => {
    const { definition } = await unpack(packageFile, root);
    const state = parseState(JSON.stringify(fixture("zarf-state.decoded.json")));
    const variables = resolveVariables(definition, {
      given: { DEPLOY_NAME: "app-small-1.0.0" },
      readTextFile: () => undefined,
    });
    const templates = templatesFor(definition, variables, state);
    const packageName = definition.metadata.name;
    const helm = new Helm({
      exec,
      helm: helmPath,
      home: `${root}/helm`,
      kubeconfig: "/nowhere",
      postRenderer: POST_RENDERER,
    });
    const rendered = new Map();
    for (const component of definition.components) {
      const directory = `${root}/components/${component.name}`;
      const source = { packageName, component, directory, templates, variables };
      const plans = [
        ...component.charts.map((chart) => (dir: string) => planChart(chart, source, dir)),
        ...component.manifests.map((manifest) => (dir: string) =>
          planManifest(manifest, source, dir, "0.1.1")
        ),
      ];
      for (const plan of plans) {
        await withPrivateDirectory(`${root}/tmp`, async (dir) => {
          const planned = await plan(dir);
          const text = await helm.render({ ...planned, settings: "", timeout: 10_000 });
          const { release, namespace } = planned;
          const result = postRender(text, { packageName, templates });
          rendered.set(planned.title, { release, namespace, ...result });
        });
      }
    }
    return rendered;
  });
}

function namesOf(objects: readonly Manifest[]): string[] {
  return objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();
}

/** The real Zarf loses the last line break of a document's last text; here it stays. */
function withoutLastBreak(data: unknown): unknown {
  if (typeof data !== "object" || data === null) return undefined;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, String(value).replace(/\n$/, "")]),
  );
}

Deno.test("app-small renders to the releases and objects that the real Zarf made of it", async () => {
  const rendered = await renderAll("zarf-package-app-small-amd64-0.0.1.tar.zst");
  const record = fixture("zarf-package-app-small.decoded.json").deployedComponents[0];
  assert.deepEqual(
    [...rendered.values()].map(({ release, namespace, connectStrings }) => [
      `${namespace}/${release}`,
      connectStrings,
    ]).sort(),
    record.installedCharts.map((
      chart: { namespace: string; chartName: string; connectStrings?: unknown },
    ) => [`${chart.namespace}/${chart.chartName}`, chart.connectStrings ?? {}]).sort(),
  );
  const real: { kind: string; metadata: Manifest["metadata"]; data?: unknown }[] =
    fixture("app-small-objects.json").items;
  const objects: Manifest[] = [...rendered.values()].flatMap(({ objects }) => [...objects]);
  assert.ok(objects.length >= 10);
  for (const object of objects) {
    const twin = real.find(({ kind, metadata }) =>
      kind === object.kind && metadata.name === object.metadata.name
    );
    // Roles and Secrets are not in this fixture.
    if (twin === undefined) continue;
    const labels = { "app.kubernetes.io/managed-by": "Helm", ...object.metadata.labels };
    assert.deepEqual(labels, twin.metadata.labels, `${object.kind} ${object.metadata.name}`);
    assert.deepEqual(withoutLastBreak(object["data"]), twin.data, object.metadata.name);
  }
  const own = real.filter(({ metadata }) => metadata.labels?.["app.kubernetes.io/managed-by"]);
  for (const { kind, metadata } of own) {
    assert.ok(namesOf(objects).includes(`${kind} ${metadata.name}`), `${kind} ${metadata.name}`);
  }
  assert.deepEqual(namesOf(rendered.get("namespace")?.namespaces ?? []), ["Namespace app-small"]);
});

Deno.test("app-chart's charts get their values, variables and second filling in", async () => {
  const rendered = await renderAll("zarf-package-app-chart-amd64-1.2.3.tar.zst");
  const demo = rendered.get("demo");
  assert.equal(demo?.release, "demo-release");
  const page = demo.objects.find(({ kind }) => kind === "ConfigMap");
  assert.deepEqual((page?.["data"] as Record<string, string>)["title"], "Demo");
  assert.deepEqual((page?.["data"] as Record<string, string>)["fromPackage"], "Demo");
  assert.equal(page?.metadata.labels?.["app.kubernetes.io/version"], "1.0.0");
  assert.ok(!demo.yaml.includes("###ZARF_"));
  // Hooks go to Helm and are not waited for.
  assert.match(demo.yaml, /demo-release-pre/);
  assert.ok(!namesOf(demo.objects).includes("Job demo-release-pre"));
  assert.equal(rendered.get("extras")?.namespace, "app-chart-extras");
});
