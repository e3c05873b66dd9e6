import assert from "node:assert/strict";
import { load, loadAll } from "js-yaml";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { readObjects, type RenderedPart } from "../../src/deploy/mod.ts";
import { parseImageReference } from "../../src/refs/mod.ts";
import { withDirectory } from "../fakes/testing.ts";
import { everyField, notMigrated } from "../fixtures/every_field.ts";
import { buildPackage, flipBit } from "../fixtures/make_package.ts";
import { HELLO, PACKAGES } from "./support/agent.ts";
import { mergeValues } from "./support/helm_values.ts";
import { holdfastPackage } from "./support/package_command.ts";
import { zarf, zarfCreate, zarfDefinition, zarfImages } from "./support/zarf.ts";

/*
 * The compiled program and the real zarf are asked the same of the same packages. Where they do not
 * say the same, the table says why.
 */

const CHART = `${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`;
const SMALL = `${PACKAGES}/zarf-package-app-small-amd64-0.0.1.tar.zst`;
const SIGNED = `${PACKAGES}/zarf-package-app-signed-amd64-1.0.0.tar.zst`;
const OLD = `${PACKAGES}/zarf-package-test-amd64-0.0.1.tar.zst`;
const OLD_TAR = `${PACKAGES}/zarf-package-test-uncompressed-amd64-0.0.1.tar`;
const ALL = [CHART, SMALL, SIGNED, HELLO, OLD, OLD_TAR];

const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);

async function answer(...args: readonly string[]): Promise<string> {
  const { code, out, err } = await holdfastPackage(...args);
  assert.equal(code, 0, err);
  return out;
}

/** What the real zarf prints. */
async function theirs(...args: readonly string[]): Promise<string> {
  const { ok, output, text } = await zarf(["package", ...args]);
  assert(ok, text);
  return output;
}

async function toolsDir(): Promise<string> {
  const helm = await ensureTool(TOOLS.helm);
  return helm.slice(0, helm.lastIndexOf("/"));
}

Deno.test("the definition is what zarf prints", async (t) => {
  for (const path of ALL) {
    await t.step(nameOf(path), async () => {
      const ours = load(await answer("inspect", "definition", path)) as Record<string, unknown>;
      // Zarf gave up this field and drops it; here nothing of the definition is left out.
      const build = ours["build"] as Record<string, unknown>;
      delete build["lastNonBreakingVersion"];
      assert.deepEqual(ours, load(new TextDecoder().decode(await zarfDefinition(path))));
    });
  }
});

Deno.test("the digest is the one that zarf prints", async (t) => {
  const same = async (path: string) => {
    assert.equal(
      await answer("inspect", "digest", path),
      await theirs("inspect", "digest", path),
    );
  };
  for (const path of ALL) await t.step(nameOf(path), () => same(path));
  await withDirectory(async (dir) => {
    await t.step("a package that zarf makes from v1beta1", async () => {
      await Deno.mkdir(`${dir}/beta`);
      await Deno.writeTextFile(`${dir}/beta/zarf.yaml`, BETA);
      await Deno.writeTextFile(`${dir}/beta/cm.yaml`, CONFIG_MAP);
      await same(await zarfCreate(`${dir}/beta`, `${dir}/beta-out`, ["--architecture=amd64"]));
    });
    await t.step("a definition that zarf has to migrate", async () => {
      const path = `${dir}/zarf-package-old-amd64-1.0.0.tar.zst`;
      await Deno.writeFile(path, buildPackage({ hooks: notMigrated }));
      await same(path);
    });
    await t.step("every field, with awkward text", async () => {
      // No agent takes it; zarf looks at the checksums only. A unit test has the same digest.
      const path = `${dir}/zarf-package-every-amd64-1.0.0.tar.zst`;
      await Deno.writeFile(path, buildPackage({ hooks: everyField }));
      assert.equal(
        (await theirs("inspect", "digest", path)).trim(),
        "sha256:bebe80f0fd6493fe36e18f2d583958b9a539e3fe3b7d41d4df8f3dc9de44672e",
      );
    });
  });
});

const CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

const BETA = `apiVersion: zarf.dev/v1beta1
kind: ZarfPackageConfig
metadata: { name: beta, version: 1.0.0, description: "a <beta> & more" }
components:
  - name: first
    manifests: [{ name: cm, namespace: web, files: [cm.yaml] }]
    actions: { onDeploy: { before: [{ cmd: "echo a" }] } }
  - name: second
    optional: true
    manifests: [{ name: cm, namespace: web, files: [cm.yaml] }]
`;

Deno.test("the images are those that zarf lists", async (t) => {
  for (const path of ALL) {
    await t.step(nameOf(path), async () => {
      const images: { reference: string }[] = JSON.parse(
        await answer("inspect", "images", path, "--output=json"),
      );
      // Zarf prints names as they stand in the definition and in its order.
      const named = (await zarfImages(path)).map((name) => parseImageReference(name).canonical);
      assert.deepEqual(images.map(({ reference }) => reference).sort(), named.sort());
    });
  }
});

/** The objects of YAML documents, in an order of their own. */
function objectsIn(text: string): unknown[] {
  return readObjects(text)
    .map((object) => JSON.stringify(object))
    .sort()
    .map((object) => JSON.parse(object));
}

Deno.test("the manifests are the objects that zarf prints", async (t) => {
  const helm = `--tools-dir=${await toolsDir()}`;
  const cases: readonly (readonly [string, string, readonly string[]])[] = [
    // Zarf asks a person for GREETING, though it has a default.
    ["raw manifests and a kustomization", SMALL, ["--set-variables=GREETING=hello"]],
    ["another value", SMALL, ["--set-variables=GREETING=hi", "--set-variables=REPLICAS=3"]],
    ["charts with hooks and CRDs", CHART, []],
    ["a chart for an older cluster", CHART, ["--components=demo", "--kube-version=v1.28.0"]],
    ["one component", CHART, ["--components=extras"]],
    ["the example", HELLO, []],
  ];
  for (const [name, path, flags] of cases) {
    await t.step(name, async () => {
      const ours = await answer("inspect", "manifests", path, helm, ...flags);
      // What only a cluster knows is left as it is; zarf puts in what it would begin a cluster with.
      const filled = ours.replaceAll("###ZARF_REGISTRY###", "127.0.0.1:31999");
      const expected = objectsIn(await theirs("inspect", "manifests", path, ...flags));
      assert.deepEqual(objectsIn(filled), expected);
      assert(expected.length > 0);
    });
  }
});

Deno.test("the values are those that zarf prints, only not laid over each other", async () => {
  const flags = ["--set-variables=TITLE=Other"];
  const parts: RenderedPart[] = JSON.parse(
    await answer("inspect", "values-files", CHART, ...flags, "-o", "json"),
  );
  const byChart = new Map<string, unknown>();
  for (const { name, text } of parts) byChart.set(name, mergeValues(byChart.get(name), load(text)));
  const printed = await theirs("inspect", "values-files", CHART, ...flags);
  const charts = [...printed.matchAll(/^# associated chart: (.*)$/mg)].map(([, name]) => name);
  const values = loadAll(printed).filter((value) => value !== null && value !== undefined);
  assert.deepEqual([...byChart], charts.map((name, index) => [name, values[index]]));
});

/** Every file below a directory with its bytes in base64. */
function filesBelow(directory: string, prefix = ""): [string, string][] {
  return [...Deno.readDirSync(directory)].flatMap(({ name, isDirectory }): [string, string][] => {
    const path = `${directory}/${name}`;
    if (isDirectory) return filesBelow(path, `${prefix}${name}/`);
    return [[prefix + name, Deno.readFileSync(path).toBase64()]];
  }).sort(([a], [b]) => a < b ? -1 : 1);
}

Deno.test("the SBOMs are written where zarf writes them, byte for byte", async (t) => {
  for (const path of [SMALL, OLD, OLD_TAR]) {
    await t.step(nameOf(path), () =>
      withDirectory(async (dir) => {
        await answer("inspect", "sbom", path, `--output-dir=${dir}/ours`);
        await theirs("inspect", "sbom", path, `--output=${dir}/theirs`);
        const files = filesBelow(`${dir}/ours`);
        assert.deepEqual(files, filesBelow(`${dir}/theirs`));
        assert(files.length > 0);
      }));
  }
  await t.step("a package without is a failure of both", async () => {
    assert.equal((await holdfastPackage("inspect", "sbom", CHART)).code, 1);
    assert.equal((await zarf(["package", "inspect", "sbom", CHART])).ok, false);
  });
});

Deno.test("the documentation is written where zarf writes it, byte for byte", async () => {
  await withDirectory(async (dir) => {
    const source = `${dir}/source`;
    await Deno.mkdir(`${source}/docs`, { recursive: true });
    await Deno.writeTextFile(
      `${source}/zarf.yaml`,
      "kind: ZarfPackageConfig\nmetadata: { name: documented, version: 1.0.0 }\n" +
        "documentation: { readme: README.md, other: docs/README.md, changes: docs/changes.md }\n" +
        "components: [{ name: a, required: true, manifests: [{ name: cm, files: [cm.yaml] }] }]\n",
    );
    for (const file of ["README.md", "docs/README.md", "docs/changes.md"]) {
      await Deno.writeTextFile(`${source}/${file}`, `# ${file}\n`);
    }
    await Deno.writeTextFile(`${source}/cm.yaml`, CONFIG_MAP);
    const path = await zarfCreate(source, `${dir}/out`, ["--architecture=amd64"]);
    for (const keys of [[], ["--keys=readme,changes"]]) {
      const [ours, others] = ["ours", "theirs"].map((name) => `${dir}/${name}${keys.length}`);
      await answer("inspect", "documentation", path, ...keys, `--output-dir=${ours}`);
      await theirs("inspect", "documentation", path, ...keys, `--output=${others}`);
      const files = filesBelow(ours ?? "");
      assert.deepEqual(files, filesBelow(others ?? ""));
      assert.equal(files.length, keys.length === 0 ? 3 : 2);
    }
  });
});

Deno.test("zarf and holdfast agree on which packages are good", async (t) => {
  const key = `${PACKAGES}/app-signed.pub`;
  await withDirectory(async (dir) => {
    const damaged = `${dir}/zarf-package-damaged-amd64-1.0.0.tar`;
    const tar = buildPackage({ name: "damaged", format: "tar" });
    await Deno.writeFile(damaged, flipBit(tar, tar.indexOf(0x6e, 4_000)));
    const cases: readonly (readonly [string, string, boolean, 0 | 3])[] = [
      ["signed, with its key", SIGNED, true, 0],
      ["not signed, with a key", SMALL, true, 3],
      ["signed, without a key", SIGNED, false, 0],
      ["not signed, without a key", SMALL, false, 0],
      ["compressed by an old zarf", OLD, false, 0],
      ["not compressed", OLD_TAR, false, 0],
      ["damaged", damaged, false, 3],
    ];
    for (const [name, path, withKey, code] of cases) {
      await t.step(name, async () => {
        const ours = await holdfastPackage(
          "verify",
          path,
          ...withKey ? [`--trust-key=${key}`] : [],
        );
        assert.equal(ours.code, code, ours.err);
        // Without a key zarf verifies no package at all, but whatever it reads it checks as well.
        const others = await zarf(
          withKey
            ? ["package", "verify", path, `--key=${key}`]
            : ["package", "inspect", "digest", path],
        );
        assert.equal(others.ok, code === 0, others.text);
      });
    }
  });
});
