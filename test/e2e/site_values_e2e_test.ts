import assert from "node:assert/strict";
import { load, loadAll } from "js-yaml";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { EXIT, main } from "../../src/cli/mod.ts";
import { readObjects, type RenderedPart } from "../../src/deploy/mod.ts";
import { withDirectory } from "../fakes/testing.ts";
import { mergeValues } from "./support/helm_values.ts";
import { writeSource } from "./support/zarf_sources.ts";
import { zarf, zarfCreate } from "./support/zarf.ts";

/*
 * Packages with variables, values and Go templates, made by the real zarf; what they come to with
 * the same settings is asked of it and of Holdfast.
 */

const AMD64 = "--architecture=amd64";

async function ours(what: string, path: string, ...flags: string[]): Promise<RenderedPart[]> {
  const said = { out: "", err: "" };
  const helm = await ensureTool(TOOLS.helm);
  const tools = `--tools-dir=${helm.slice(0, helm.lastIndexOf("/"))}`;
  const code = await main(["package", "inspect", what, path, ...flags, tools, "-o", "json"], {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
  });
  assert.equal(code, EXIT.done, said.err);
  return JSON.parse(said.out);
}

async function theirs(what: string, path: string, ...flags: string[]): Promise<string> {
  const { ok, output, text } = await zarf(["package", "inspect", what, path, ...flags]);
  assert(ok, text);
  return output;
}

/** The objects of YAML documents, in an order of their own. */
function objectsIn(text: string): unknown[] {
  return readObjects(text)
    .map((object) => JSON.stringify(object))
    .sort()
    .map((object) => JSON.parse(object));
}

/** What Zarf shows a package without a cluster, for what is left as it stands here. */
const STATE: readonly [ours: string, theirs: string][] = [
  ["###ZARF_REGISTRY###", "127.0.0.1:31999"],
  ["STATE_REGISTRY_ADDRESS", "127.0.0.1:31999"],
  ["STATE_REGISTRY_PORT", "31999"],
  ["STATE_REGISTRY_MODE", "nodeport"],
  ["STATE_REGISTRY_PUSHUSERNAME", "zarf-push"],
];

async function compareManifests(path: string, flags: string[]): Promise<unknown[]> {
  const parts = await ours("manifests", path, ...flags);
  const text = STATE.reduce(
    (text, [ours, theirs]) => text.replaceAll(ours, theirs),
    parts.map((part) => `${part.text}\n---\n`).join(""),
  );
  const expected = objectsIn(await theirs("manifests", path, ...flags));
  assert.deepEqual(objectsIn(text), expected);
  assert(expected.length > 0);
  return expected;
}

const VARIABLES = `
apiVersion: v1
kind: ConfigMap
metadata: { name: "###ZARF_VAR_NAME###" }
data:
  two: "###ZARF_VAR_NAME######ZARF_CONST_MODE###"
  unknown: "###ZARF_VAR_NOT_DECLARED### ###ZARF_var_name### ##ZARF_VAR_NAME##"
  again: "###ZARF_VAR_AGAIN###"
  empty: "###ZARF_VAR_EMPTY###"
  text: |
    ###ZARF_VAR_LINES###
    é ###ZARF_VAR_LINES### and ###ZARF_VAR_LINES###
  constant: |
    ###ZARF_CONST_LINES###
  file: |
    ###ZARF_VAR_FILE###
  registry: "###ZARF_REGISTRY###"`;

const VARIABLE_DEFINITION = {
  metadata: { name: "variables", version: "0.1.0" },
  variables: [
    { name: "NAME", default: "default-name", pattern: "^[a-z-]+$" },
    { name: "AGAIN", default: "###ZARF_CONST_MODE###" },
    { name: "EMPTY" },
    { name: "LINES", default: "one\ntwo: x\n  three", autoIndent: true },
    { name: "FILE", type: "file", autoIndent: true },
  ],
  constants: [
    { name: "MODE", value: "-c" },
    { name: "LINES", value: "four\nfive", autoIndent: true },
  ],
  components: [{
    name: "web",
    required: true,
    manifests: [
      { name: "m", files: ["cm.yaml", "crlf.yaml"], kustomizations: ["k"] },
    ],
    charts: [{
      name: "demo",
      version: "0.1.0",
      namespace: "web",
      localPath: "chart",
      valuesFiles: ["chart-values.yaml"],
      variables: [
        { name: "FILE", description: "d", path: "file" },
        { name: "NAME", description: "d", path: "deep.name" },
        { name: "UNSET", description: "d", path: "unset" },
      ],
    }],
  }],
};

Deno.test("variables come out as zarf puts them in", async (t) => {
  await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/certificate`, "BEGIN\n  é\nEND");
    const source = await writeSource(`${dir}/source`, VARIABLE_DEFINITION, {
      "cm.yaml": VARIABLES,
      "crlf.yaml": VARIABLES.replace('NAME###" }', 'NAME###-crlf" }').replaceAll("\n", "\r\n"),
      "k/cm.yaml": VARIABLES.replace('"###ZARF_VAR_NAME###"', "in-kustomization"),
      "k/kustomization.yaml": "resources: [cm.yaml]\n",
      "chart/Chart.yaml": "apiVersion: v2\nname: demo\nversion: 0.1.0\n",
      "chart/templates/cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: chart }\n" +
        "data:\n  all: |\n    {{- toYaml .Values | nindent 4 }}\n  late: ###ZARF_VAR_AGAIN###\n",
      "chart-values.yaml":
        "deep: { other: '###ZARF_VAR_NAME###' }\nlist:\n- ###ZARF_VAR_EMPTY###x\n",
    });
    const path = await zarfCreate(source, `${dir}/out`, [AMD64]);
    const rows: string[][] = [
      [],
      ["--set-variables=name=other", "--set-variables=lines=a\nb\n"],
      [`--set-variables=FILE=${dir}/certificate`, "--set-variables=UNSET=now"],
      ["--set-variables=EMPTY=$1 $& %", "--set-variables=AGAIN=###ZARF_VAR_NAME###"],
    ];
    for (const flags of rows) {
      await t.step(flags.join(" ") || "defaults", async () => {
        await compareManifests(path, flags);
      });
    }
    await t.step("a value that does not match its pattern is refused by both", async () => {
      const flag = "--set-variables=NAME=UPPER";
      await assert.rejects(ours("manifests", path, flag), /NAME.*does not match/);
      const { ok, text } = await zarf(["package", "inspect", "manifests", path, flag]);
      assert(!ok && text.includes("does not match pattern"), text);
    });
  });
});

Deno.test("what zarf loses of a file stays here", () =>
  withDirectory(async (dir) => {
    const long = "x".repeat((1 << 20) + 1);
    const text = (end: string) =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata:\n  long: ${long}\n` +
      `  after: "###ZARF_CONST_A###"${end}`;
    const source = await writeSource(`${dir}/source`, {
      metadata: { name: "long" },
      constants: [{ name: "A", value: "b" }],
      components: [{ name: "c", required: true, manifests: [{ name: "m", files: ["a", "b"] }] }],
    }, { a: text(""), b: text("\n") });
    const path = await zarfCreate(source, `${dir}/out`, [AMD64]);
    const parts = await ours("manifests", path);
    assert.deepEqual(
      parts.map((part) => part.text),
      ["", "\n"].map((end) => text(end).replace("###ZARF_CONST_A###", "b")),
    );
    assert(!(await theirs("manifests", path)).includes("after:"), "zarf has learned it");
  }));

const TEMPLATE = `
apiVersion: v1
kind: ConfigMap
metadata: { name: "{{ .Values.app.name }}" }
data:
  package: "{{ .Pkg.Metadata.Name }} {{ .Pkg.Metadata.Version }} {{ .Pkg.Build.Architecture }}"
  components: "{{ range .Pkg.Components }}{{ .Name }},{{ end }}"
  definition: |
    {{- toYaml .Pkg.Metadata | nindent 4 }}
    {{- toYaml (index .Pkg.Components 0).Charts | nindent 4 }}
    {{- toYaml .Pkg.Variables | nindent 4 }}
  variable: "{{ .Variables.NAME }} ###ZARF_VAR_NAME###"
  file: "{{ .Variables.FILE }}"
  constant: "{{ .Constants.MODE }}"
  state: "{{ .State.Registry.Address }} {{ .State.Registry.Port }} {{ .State.Registry.Mode }}"
  numbers: "{{ .Values.app.big }} {{ .Values.app.ratio }} {{ add .Values.app.replicas 1 }}"
  kinds: "{{ range $k, $v := .Values.app }}{{ $k }}={{ kindOf $v }} {{ end }}"
  compared: "{{ eq .Values.app.replicas 3 }} {{ gt .Values.app.big 5 }}"
  all: |
    {{- toYaml .Values | nindent 4 }}
  json: '{{ toJson .Values }}'
  toml: |
    {{- toToml .Values.app | nindent 4 }}
  sprig: "{{ .Values.app.name | upper | b64enc | trunc 4 }} {{ list 1 2 | join "-" }}"
`;

const CHART_TEMPLATE = `
apiVersion: v1
kind: ConfigMap
metadata: { name: chart }
data:
  all: |
    {{- toYaml .Values | nindent 4 }}
  shown: "{{ .Values.mapped.big }} {{ .Values.mapped.replicas }} {{ .Values.mapped.ratio }}"
  compared: "{{ eq .Values.mapped.replicas 3 }}{{ eq (index .Values.mapped.list 0) 1 }}"
  excluded: "{{ .Values.mapped.secret }}"
`;

const VALUES = `
app:
  name: shop
  replicas: 3
  big: 12345678
  negative: -20000000
  ratio: 1.50
  whole: 2.0
  enabled: true
  list: [1, 2000000, text]
  nested: { "a.b": 1000000, "c,d": 2 }
  secret: hunter2
  zip: "007"
  answer: "yes"
  date: 2024-01-02
extra: { key: value, none: null }
`;

const VALUES_DEFINITION = {
  metadata: {
    name: "values",
    version: "1.2.3",
    description: "a: b",
    annotations: { z: "1", a: "2" },
  },
  values: { files: ["values.yaml", "more.yaml"], schema: "values.schema.json" },
  variables: [{ name: "NAME", default: "named" }, {
    name: "FILE",
    type: "file",
    default: "/etc/hostname",
  }],
  constants: [{ name: "MODE", value: "constant" }],
  components: [
    {
      name: "web",
      required: true,
      manifests: [
        { name: "templated", template: true, files: ["template.yaml"] },
        { name: "plain", files: ["plain.yaml"] },
      ],
      charts: [{
        name: "demo",
        version: "0.1.0",
        namespace: "web",
        localPath: "chart",
        valuesFiles: ["chart-values.yaml"],
        templatedValuesFiles: ["chart-templated.yaml", "chart-more.yaml"],
        variables: [{ name: "NAME", description: "d", path: "mapped.name" }],
        values: [
          { sourcePath: ".app", targetPath: ".mapped", excludePaths: [".app.secret"] },
          { sourcePath: ".app.name", targetPath: ".image.tag" },
          { sourcePath: ".extra", targetPath: "." },
        ],
      }],
    },
    { name: "optional", manifests: [{ name: "plain", files: ["plain.yaml"] }] },
  ],
};

const VALUES_FILES = {
  "template.yaml": TEMPLATE,
  "plain.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: plain }\n" +
    "data: { kept: '{{ .Values.app.name }}' }\n",
  "chart/Chart.yaml": "apiVersion: v2\nname: demo\nversion: 0.1.0\n",
  "chart/values.yaml": "mapped: { secret: the-charts, default: 7 }\nimage: { repository: r }\n" +
    "key: d\nnone: removed\n",
  "chart/templates/cm.yaml": CHART_TEMPLATE,
  "chart-values.yaml": "plain: '{{ .Values.app.name }}'\nmapped: { replicas: 9, file: 12345678 }\n",
  "chart-templated.yaml": "templated: {{ .Values.app.name }}-###ZARF_VAR_NAME###\n" +
    "registry: {{ .State.Registry.PushUsername }}\n",
  "chart-more.yaml":
    "more: {{ .Values.app.list | toJson }}\ntemplated: last-{{ .Constants.MODE }}\n",
  "values.yaml": VALUES,
  "more.yaml": "app: { from: more }\n",
  "values.schema.json": JSON.stringify({
    $schema: "http://json-schema.org/draft-07/schema#",
    type: "object",
    properties: { app: { type: "object", properties: { replicas: { type: "integer" } } } },
  }),
};

Deno.test("values and Go templates come out as zarf fills them in", async (t) => {
  await withDirectory(async (dir) => {
    const source = await writeSource(`${dir}/source`, VALUES_DEFINITION, VALUES_FILES);
    const path = await zarfCreate(source, `${dir}/out`, [AMD64]);
    await Deno.writeTextFile(
      `${dir}/site.yaml`,
      "app: { name: from-file, list: [3], nested: { new: 1 } }\nextra: { key: { now: a-map } }\n",
    );
    const rows: string[][] = [
      [],
      [`--values=${dir}/site.yaml`],
      ["--set-values=app.name=set", "--set-values=.app.replicas=3", "--set-values=app.zip='12'"],
      [
        `--values=${dir}/site.yaml`,
        "--set-values=app.name=over-file",
        "--set-values=new.deep=true",
      ],
      ["--set-variables=NAME=other", "--set-values=app.ratio=2.5"],
    ];
    for (const flags of rows) {
      const name = flags.join(" ").replaceAll(dir, "…") || "the package's own";
      await t.step(name, async () => {
        const objects = await compareManifests(path, flags);
        assert.equal(objects.length, 4);
        const printed = loadAll(await theirs("values-files", path, ...flags))
          .filter((value) => value !== null && value !== undefined);
        const parts = await ours("values-files", path, ...flags);
        const merged = parts.reduce<unknown>(
          (base, { text }) =>
            mergeValues(base, load(text.replaceAll("STATE_REGISTRY_PUSHUSERNAME", "zarf-push"))),
          {},
        );
        assert.deepEqual([merged], printed);
      });
    }
  });
});

Deno.test("what zarf refuses for its values is refused here, with what is wrong", async (t) => {
  await withDirectory(async (dir) => {
    const rows: [name: string, manifest: string, zarf: RegExp, ours: RegExp][] = [
      [
        "a value that is not there",
        "{{ .Values.absent }}",
        /no entry for key "absent"/,
        /"absent"/,
      ],
      ["a variable that is not there", "{{ .Variables.ABSENT }}", /"ABSENT"/, /"ABSENT"/],
      [
        "a secret of the state",
        "{{ .State.Git.PushPassword }}",
        /"PushPassword"/,
        /"PushPassword"/,
      ],
      ["no template", "{{ .Values.app", /unclosed action/, /m-0\.yaml:\d+: unclosed action/],
      [
        "a function that looks outside",
        '{{ env "HOME" }}',
        /"env" not defined/,
        /"env" not defined/,
      ],
    ];
    for (const [name, expression, zarfSays, weSay] of rows) {
      await t.step(name, async () => {
        const source = await writeSource(`${dir}/${name}`, {
          metadata: { name: "wrong" },
          components: [{
            name: "c",
            required: true,
            manifests: [{ name: "m", template: true, files: ["cm.yaml"] }],
          }],
        }, {
          "cm.yaml":
            `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: {}\n# ${expression}\n`,
        });
        const path = await zarfCreate(source, `${dir}/${name}-out`, [AMD64]);
        const { ok, text } = await zarf(["package", "inspect", "manifests", path]);
        assert(!ok, text);
        assert.match(text.replaceAll('\\"', '"'), zarfSays);
        await assert.rejects(ours("manifests", path), weSay);
      });
    }
  });
});
