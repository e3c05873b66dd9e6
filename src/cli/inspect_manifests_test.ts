import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { withDirectory } from "../../test/fakes/testing.ts";
import { buildPackage, type PackageSpec } from "../../test/fixtures/make_package.ts";
import type { RenderedPart } from "../deploy/mod.ts";
import { EXIT } from "./exit_codes.ts";
import { helmIn } from "./inspect_manifests.ts";
import { run, type Said } from "./testing.ts";

const PACKAGES = fileURLToPath(new URL("../../test/fixtures/packages", import.meta.url));
const SMALL = `${PACKAGES}/zarf-package-app-small-amd64-0.0.1.tar.zst`;
const CHART = `${PACKAGES}/zarf-package-app-chart-amd64-1.2.3.tar.zst`;

async function parts(what: string, path: string, ...flags: string[]): Promise<RenderedPart[]> {
  const { code, out, err } = await run("package", "inspect", what, path, ...flags, "-o", "json");
  assert.equal(code, EXIT.done, err);
  return JSON.parse(out);
}

Deno.test("manifests and kustomizations come in Zarf's order, filled in with the defaults", async () => {
  const found = await parts("manifests", SMALL);
  assert.deepEqual(found.map(({ source }) => source), [
    "manifests/namespace-0.yaml",
    "manifests/web-0.yaml",
    "manifests/web-1.yaml",
    "manifests/web-2.yaml",
    "manifests/web-3.yaml",
    "manifests/kustomization-extras-0.yaml",
  ]);
  const settings = found[1]?.text ?? "";
  assert.match(settings, /greeting: "hello"/);
  assert.match(settings, /\n {4}line one\n {4}line two: with a colon\n/);
  assert.match(settings, /registry: "###ZARF_REGISTRY###"/, "only the cluster knows");
  assert.match(settings, /unknown: "###ZARF_VAR_NOT_DECLARED###"/);
});

Deno.test("what is given on the command line comes before the defaults", async () => {
  const found = await parts(
    ...["manifests", SMALL, "--set-variables", "greeting=a, b!", "--set-variables=REPLICAS=7"],
  );
  const text = found.map((part) => part.text).join("");
  assert.match(text, /greeting: "a, b!"/);
  assert.match(text, /replicas: 7/);
});

Deno.test("as YAML each part is headed by where it is from, and a document mark follows", async () => {
  const { out, err } = await run("package", "inspect", "manifests", SMALL);
  assert(out.startsWith(
    "#type: manifest\n#component: web\n#manifest: namespace\n#source: manifests/namespace-0.yaml\n" +
      "apiVersion: v1\nkind: Namespace\n",
  ));
  assert(out.endsWith("\n---\n"));
  assert.equal(out.match(/^#source: /mg)?.length, 6);
  assert.equal(err, "");
});

Deno.test("only the components that were asked for are shown", async () => {
  const [part, ...more] = await parts("manifests", CHART, "--components=multi-platform");
  assert.deepEqual([part?.component, part?.name, more], ["multi-platform", "pinned", []]);
});

Deno.test("values are the files as Helm is given them, then what variables set", async () => {
  const found = await parts("values-files", CHART, "--set-variables=TITLE=Other");
  assert.deepEqual(found.map(({ name, source }) => [name, source]), [
    ["demo", "values/demo-base.yaml"],
    ["demo", "values/demo-site.yaml"],
    ["demo", "variables"],
    ["extras", "values/extras.yaml"],
  ]);
  assert.deepEqual(JSON.parse(found[2]?.text ?? ""), {
    page: { title: "Other" },
    replicaCount: "1",
  });
  const { out } = await run("package", "inspect", "values-files", CHART, "--components=extras");
  assert.equal(
    out,
    "#type: valuesfile\n#component: extras\n#chart: extras\n#source: values/extras.yaml\n" +
      "replicas: 2\n---\n",
  );
});

Deno.test("without helm everything but the charts is printed, and they are named", () =>
  withDirectory(async (dir) => {
    const argv = ["package", "inspect", "manifests", CHART, `--tools-dir=${dir}`];
    const { code, out, err } = await run(...argv);
    assert.equal(code, EXIT.failed);
    assert.match(out, /^#source: manifests\/pinned-0\.yaml$/m);
    assert.match(
      err,
      /there is no helm: demo, extras; all other manifests were printed; give --tools/,
    );
    assert.equal(helmIn(dir), undefined);
    await Deno.writeTextFile(`${dir}/helm`, "");
    assert.equal(helmIn(dir), `${dir}/helm`);
    assert.equal(helmIn(undefined), undefined);
  }));

async function withPackage(spec: PackageSpec, what: string, ...flags: string[]): Promise<Said> {
  return await withDirectory(async (dir) => {
    await Deno.writeFile(`${dir}/a.tar.zst`, buildPackage(spec));
    return await run("package", "inspect", what, `${dir}/a.tar.zst`, ...flags);
  });
}

const PROMPT: PackageSpec = {
  hooks: {
    definition: (definition) =>
      void Object.assign(definition, {
        variables: [{ name: "TOKEN", prompt: true, description: "of the site" }],
      }),
  },
};

Deno.test("a variable that somebody has to set is asked for by name", async () => {
  const { code, out, err } = await withPackage(PROMPT, "manifests");
  assert.deepEqual([code, out], [EXIT.failed, ""]);
  assert.match(err, /variable TOKEN has no value \(of the site\); give it with --set-variables/);
  const given = await withPackage(PROMPT, "manifests", "--set-variables", "TOKEN=x");
  assert.equal(given.code, EXIT.done, given.err);
});

const TEMPLATED: PackageSpec = {
  components: [{
    name: "web",
    definition: {
      manifests: [{ name: "plain", files: ["a.yaml"] }, {
        name: "web",
        files: ["b.yaml"],
        template: true,
      }],
    },
    files: { "manifests/plain-0.yaml": "kind: A", "manifests/web-0.yaml": "kind: {{ .Values.a }}" },
  }],
  images: [],
};

Deno.test("without helm a package with Go templates is not shown, and that is said", async () => {
  const none = "--tools-dir=/nowhere";
  for (const what of ["manifests", "values-files"]) {
    const { code, err } = await withPackage(TEMPLATED, what, none);
    const shown = what === "values-files";
    assert.equal(code, shown ? EXIT.done : EXIT.failed, err);
    if (!shown) assert.match(err, /component "web" has Go templates.*--tools-dir/);
  }
});

Deno.test("a manifest that is a link to another file of its component is followed", async () => {
  const { code, out, err } = await withPackage({
    components: [{
      name: "web",
      definition: { manifests: [{ name: "web", files: ["a.yaml", "b.yaml"] }] },
      files: { "manifests/web-0.yaml": "kind: A" },
      entries: [{ name: "web/manifests/web-1.yaml", type: "symlink", linkTarget: "web-0.yaml" }],
    }],
    images: [],
  }, "manifests");
  assert.equal(code, EXIT.done, err);
  assert.equal(out.match(/^kind: A\n---$/mg)?.length, 2);
});

Deno.test("a path in the definition cannot begin a line of its own", async () => {
  const { code, out, err } = await withPackage({
    components: [{
      name: "web",
      definition: { charts: [{ name: "app", valuesFiles: ["base.yaml\nkind: Evil"] }] },
      files: { "values/app-0": "a: 1\n", "charts/app.tgz": "" },
    }],
    images: [],
  }, "values-files");
  assert.equal(code, EXIT.done, err);
  assert.match(out, /^#source: base\.yaml kind: Evil\na: 1\n---$/m);
});

Deno.test("a manifest that the definition names and the package does not hold is an error", async () => {
  const { code, err } = await withPackage({
    components: [{
      name: "web",
      definition: { manifests: [{ name: "web", files: ["a.yaml"] }] },
      files: { "manifests/other-0.yaml": "kind: A" },
    }],
    images: [],
  }, "manifests");
  assert.equal(code, EXIT.failed);
  assert.match(err, /component "web": manifests\/web-0\.yaml cannot be read/);
});

Deno.test("a value that the package does not allow is refused by name", async () => {
  const flag = "--set-variables=GREETING=a=b";
  const { code, out, err } = await run("package", "inspect", "manifests", SMALL, flag);
  assert.deepEqual([code, out], [EXIT.failed, ""]);
  assert.match(err, /value of variable GREETING does not match/);
});

const misuse: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  ["a variable without a value", ["--set-variables=A"], EXIT.wrongUse, /It is not NAME=VALUE/],
  ["a variable without a name", ["--set-variables==A"], EXIT.wrongUse, /It is not NAME=VALUE/],
  ["a package value without a path", ["--set-values==1"], EXIT.wrongUse, /It is not NAME=VALUE/],
  ["a values file that is not there", ["--values=/nowhere"], EXIT.failed, /values in \/nowhere/],
  ["a table of manifests", ["--output=table"], EXIT.wrongUse, /Allowed choices are yaml, json/],
  [
    "a component that is not there",
    ["--components=web,wbe"],
    EXIT.failed,
    /has no component "wbe"; the components are: web$/m,
  ],
];

for (const [what, flags, expected, says] of misuse) {
  Deno.test(`${what} is not shown`, async () => {
    const { code, out, err } = await run("package", "inspect", "manifests", SMALL, ...flags);
    assert.deepEqual([code, out], [expected, ""], err);
    assert.match(err, says);
  });
}

Deno.test("nothing is left in the directory for temporary files", () =>
  withDirectory(async (dir) => {
    const before = Deno.env.get("TMPDIR");
    Deno.env.set("TMPDIR", dir);
    try {
      await run("package", "inspect", "manifests", SMALL);
      await run("package", "inspect", "values-files", CHART);
      assert.deepEqual([...Deno.readDirSync(dir)], []);
    } finally {
      if (before === undefined) Deno.env.delete("TMPDIR");
      else Deno.env.set("TMPDIR", before);
    }
  }));
