import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { SiteSettingsBook } from "../../src/agent/mod.ts";
import {
  DeployError,
  GoTemplates,
  type TemplateObjects,
  type ValueMapping,
  type ValuesLayer,
} from "../../src/deploy/mod.ts";
import { digestOf, exec } from "../../src/std/mod.ts";
import { Store } from "../../src/store/mod.ts";
import { withDirectory } from "../fakes/testing.ts";

/*
 * The program that fills in Go templates, with the tables of Zarf's own tests (Zarf 0.84,
 * src/pkg/template and src/pkg/value).
 */

const templates = new GoTemplates({ exec, helm: await ensureTool(TOOLS.helm) });

const WEB = JSON.stringify({
  kind: "ZarfPackageConfig",
  metadata: { name: "shop", version: "1.0.0", annotations: { "a.example/b": "c" } },
  build: { architecture: "amd64", timestamp: "", version: "v0.84.0" },
  components: [
    { name: "web", required: true, images: ["nginx:latest"], manifests: [{ name: "m" }] },
    { name: "extra" },
  ],
  constants: [{ name: "A", value: "b" }],
  variables: [{ name: "V", sensitive: true, default: "d" }],
});

const OBJECTS: TemplateObjects = {
  values: [{
    yaml: `
app: { name: test-app, port: 8080, big: 12345678, ratio: 1.0, share: 0.25, none: null }
name: hello world
enabled: false
numbers: [1, 2, 3]
text: "007"
answer: "yes"
`,
  }],
  package: WEB,
  constants: { NAMESPACE: "production" },
  variables: { DB_HOST: "localhost", EMPTY: "" },
  state: { Registry: { Port: 31999, MTLSEnabled: false } },
};

function objectsOf(yaml: string): TemplateObjects {
  return { values: [{ yaml }], constants: {}, variables: {} };
}

async function refusal(action: Promise<unknown>): Promise<DeployError> {
  const error = await action.then(() => undefined, (error) => error);
  assert.ok(error instanceof DeployError, String(error));
  return error;
}

async function rendered(text: string, objects = OBJECTS): Promise<string> {
  const [result] = await templates.render([{ name: "page.yaml", text }], objects);
  return result ?? "";
}

Deno.test("templates are filled in as Zarf fills them in", async () => {
  const rows: [text: string, expected: string][] = [
    ["no template", "no template"],
    ["", ""],
    ["echo {{ .Values.app.name }}", "echo test-app"],
    ["{{ .Values.app.port }} {{ .Values.app.big }} {{ .Values.text }}", "8080 12345678 007"],
    ["{{ .Values.app.ratio }} {{ .Values.app.share }}", "1 0.25"],
    ["{{ .Values.app.none }}", "<no value>"],
    ["echo {{ .Constants.NAMESPACE }}", "echo production"],
    ["connect to {{ .Variables.DB_HOST }}{{ .Variables.EMPTY }}", "connect to localhost"],
    ["{{ .Values.name | upper | quote }}", '"HELLO WORLD"'],
    ["{{ if .Values.enabled }}on{{ else }}off{{ end }}", "off"],
    ["{{ range .Values.numbers }}{{ . }},{{ end }}", "1,2,3,"],
    ['{{ index (.Pkg.GetComponent "web").Images 0 }}', "nginx:latest"],
    ["{{ .Pkg.Metadata.Name }} {{ .Pkg.Metadata.Description }}!", "shop !"],
    ["{{ .Pkg.Kind }} {{ .Pkg.Build.Signed }}", "ZarfPackageConfig <nil>"],
    ["{{ (index .Pkg.Variables 0).Name }} {{ (index .Pkg.Variables 0).Default }}", "V d"],
    ["{{ .State.Registry.Port }} {{ .State.Registry.MTLSEnabled }}", "31999 false"],
    ["{{ .Values.numbers | toYaml }}", "- 1\n- 2\n- 3"],
    ["{{ toYaml .Values.answer }}", '"yes"'],
    ['{{ dict "b" 1 "a" (dict "c" true) | toYaml }}', "a:\n  c: true\nb: 1"],
    ["{{ toYamlPretty .Values.numbers }}", "- 1\n- 2\n- 3"],
    [
      "{{ toJson .Values.app }}",
      '{"big":12345678,"name":"test-app","none":null,' +
      '"port":8080,"ratio":1,"share":0.25}',
    ],
    ['{{ toToml (dict "a" 1) }}', "a = 1\n"],
    ['{{ (fromYaml "a: 3").a }}{{ (fromJson "{\\"a\\":4}").a }}', "34"],
    ['{{ index (fromYamlArray "[x]") 0 }}{{ index (fromJsonArray "[5]") 0 }}', "x5"],
    ['{{ (fromToml "a = 6").a }}', "6"],
    ['{{ hasKey (fromYaml "a: b: c") "Error" }}', "true"],
    ["{{ .Pkg.Metadata | toYaml }}", "name: shop\nversion: 1.0.0\nannotations:\n  a.example/b: c"],
    ['{{ define "x" }}[{{ . }}]{{ end }}{{ template "x" .Values.text }}', "[007]"],
  ];
  const results = await templates.render(
    rows.map(([text], index) => ({ name: `row-${index}`, text })),
    OBJECTS,
  );
  for (const [index, [text, expected]] of rows.entries()) {
    assert.equal(results[index], expected, text);
  }
});

Deno.test("a template that cannot be filled in is named with the place", async () => {
  const rows: [text: string, message: RegExp][] = [
    ["{{ .Values.missing }}", /page\.yaml: .*map has no entry for key "missing"/],
    ["{{ .Values.missing.field }}", /map has no entry for key "missing"/],
    ["{{ .Variables.MISSING }}", /map has no entry for key "MISSING"/],
    ["{{ .Constants.MISSING }}", /map has no entry for key "MISSING"/],
    ["{{ .State.Registry.PushPassword }}", /map has no entry for key "PushPassword"/],
    ["{{ .State.Agent.Key }}", /map has no entry for key "Agent"/],
    ["{{ .Pkg.Metadata.Nothing }}", /can't evaluate field Nothing/],
    ['{{ (.Pkg.GetComponent "absent").Name }}', /no component named "absent" in package "shop"/],
    ["line\n{{ .Values.x", /page\.yaml:2: unclosed action/],
    ['{{ fail "set a host" }}', /set a host/],
    ['{{ mustToYaml (dict "f" .Pkg.GetComponent) }}', /GetComponent/],
    ...["env", "expandenv", "getHostByName"].map((name): [string, RegExp] => [
      `{{ ${name} "PATH" }}`,
      new RegExp(`function "${name}" not defined`),
    ]),
  ];
  for (const [text, message] of rows) {
    const error = await refusal(rendered(text));
    assert.equal(error.reason, "TemplateFailed", text);
    assert.equal(error.disposition, "terminal");
    assert.match(error.message, message, `${text}: ${error.message}`);
  }
  const bare = { values: [], constants: {}, variables: {} };
  for (const name of ["Pkg", "State"]) {
    const error = await refusal(rendered(`{{ .${name} }}`, bare));
    assert.match(error.message, new RegExp(`no entry for key "${name}"`), "it was not given");
  }
});

Deno.test("a template that grows without end is stopped, and nothing of it is shown", async () => {
  const rows: [text: string, message: RegExp][] = [
    ["{{ repeat 2000000000 .Values.secret }}", /out of memory/],
    [
      "{{ range until 40 }}{{ repeat 1000000 $.Values.secret }}{{ end }}",
      /more than 33554432 bytes/,
    ],
    ['{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}', /exceeded maximum/],
  ];
  for (const [text, message] of rows) {
    const error = await refusal(rendered(text, objectsOf("secret: hunter2")));
    assert.match(error.message, message, `${text}: ${error.message}`);
    assert.doesNotMatch(error.message, /hunter2/);
  }
});

Deno.test("the values that a template names are found without filling it in", async () => {
  const rows: [text: string, expected: string[]][] = [
    ["echo hello", []],
    ["{{ .Values.app.name }}", ["app.name"]],
    ["{{ .Values.foo }}", ["foo"]],
    ["{{ .Variables.FOO }}-{{ .Constants.BAR }}", []],
    ["{{ range .Values.items }}{{ .name }}{{ end }}", ["items"]],
    ["{{ with .Values.db }}{{ .host }}{{ else }}{{ .Values.x }}{{ end }}", ["db", "x"]],
    ["{{ .Values.x | toYaml }}", ["x"]],
    ["{{ if .Values.enabled }}on{{ end }}", ["enabled"]],
    ["{{ .Values | toYaml }}", []],
    ["{{ .Values.a }}{{ .Values.b.c }}{{ .Variables.V }}", ["a", "b.c"]],
    ['{{ index .Values "app" "name" }}', ["app.name"]],
    ['{{ index .Values.db "host" }}', ["db.host"]],
    ["{{ index .Values .key }}", []],
    ["{{ $v := .Values }}{{ $v.db.host }}", []],
    ['{{ define "t" }}{{ .Values.t }}{{ end }}{{ template "t" . }}', ["t"]],
    ['{{ (index .Values "a").b }}', ["a"]],
  ];
  const results = await templates.references([...rows.map(([text]) => text), "{{ .Values.foo "]);
  for (const [index, [text, expected]] of rows.entries()) {
    const result = results[index];
    assert.ok(result !== undefined && "value" in result, text);
    assert.deepEqual(result.value.map((path) => path.join(".")).sort(), expected, text);
  }
  assert.match(Object(results.at(-1)).error, /unclosed action/);
});

function set(
  path: string,
  text: string,
  type: "inferred" | "string" | "yaml" | "json" = "inferred",
) {
  return { set: { path, text, type } };
}

Deno.test("values are laid over each other as Zarf does", async () => {
  const rows: [layers: ValuesLayer[], expected: unknown][] = [
    [[], {}],
    [[{ yaml: "" }, { yaml: "# nothing\n" }], {}],
    [[{ yaml: "a: {b: 1, c: 2}" }, { yaml: "a: {c: 3}\nd: [4]" }], { a: { b: 1, c: 3 }, d: [4] }],
    [[{ yaml: "a: [1, 2]" }, { yaml: "a: [3]" }], { a: [3] }],
    [[{ yaml: "a: {b: 1}" }, { yaml: "a: text" }], { a: "text" }],
    [[{ yaml: "a: text" }, { yaml: "a: {b: 1}" }], { a: { b: 1 } }],
    [[{ yaml: "a: 1" }, { yaml: "a: null" }], { a: null }],
    [[{ yaml: "a: 1\n---\nb: 2" }], { a: 1 }],
    [[set(".a.b.c", "1"), set(".a.b.d", "x")], { a: { b: { c: 1, d: "x" } } }],
    [[{ yaml: "a: {b: 1}" }, set(".", "a: {c: 2}", "yaml")], { a: { b: 1, c: 2 } }],
    [[{ yaml: "a: {b: 1}" }, set(".a", "c: 2", "yaml")], { a: { b: 1, c: 2 } }],
    [[set(".a", '{"b": [1, true]}', "json")], { a: { b: [1, true] } }],
    [[set(".a", "true", "string")], { a: "true" }],
    ...([
      ["true", true],
      ["True", true],
      ["false", false],
      ["null", "null"],
      ["3", 3],
      ["0", 0],
      ["-5", -5],
      ["3.14", "3.14"],
      ["0755", "0755"],
      ["1.0.0", "1.0.0"],
      ["my-site", "my-site"],
      ["", ""],
      ["'true'", "true"],
      ["'123'", "123"],
      ["''", ""],
      ["'", "'"],
    ] as const).map(([text, value]): [ValuesLayer[], unknown] => [[set(".a", text)], { a: value }]),
  ];
  for (const [layers, expected] of rows) {
    assert.deepEqual(await templates.merged(layers), expected, JSON.stringify(layers));
  }
});

Deno.test("values that cannot be read are refused by their place, and are not shown", async () => {
  const rows: [layers: ValuesLayer[], message: RegExp][] = [
    [[{ yaml: "a: {hunter2" }], /values 0: /],
    [[{ yaml: "" }, { yaml: "- hunter2" }], /values 1: /],
    [[{ yaml: "hunter2" }], /values 0: /],
    [[set("a", "hunter2")], /path "a" does not begin with a dot/],
    [
      [{ yaml: "a: hunter2" }, set(".a.b", "hunter2")],
      /"\.a\.b" goes through another value at "a"/,
    ],
    [[set(".", "hunter2")], /only a map can be put at the root/],
    [[set(".a", "{hunter2", "yaml")], /\.a is not YAML/],
    [[set(".a", "{hunter2", "json")], /\.a is not JSON/],
  ];
  for (const [layers, message] of rows) {
    const error = await refusal(templates.merged(layers));
    assert.equal(error.reason, "ValuesInvalid");
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /hunter2/, JSON.stringify(layers));
  }
});

Deno.test("a chart is given what its variables set, and over that the package's values", async () => {
  const values = [{
    yaml: `
myapp: { version: 2.0.0, list: [1, 20000000] }
loki: { replicas: 3, image: { repository: grafana/loki }, secret: do-not-map }
a.b: 1000000
big: -1000000
small: 999999
ratio: 1.5
port: { x: 9007199254740993 }
`,
  }];
  const map = (sourcePath: string, targetPath: string, ...excludePaths: string[]) => ({
    ...{ sourcePath, targetPath, excludePaths },
  });
  const rows: [base: Record<string, unknown>, ValueMapping[], json: unknown, set: string[]][] = [
    [{}, [], {}, []],
    [{ image: { tag: "v1" } }, [], { image: { tag: "v1" } }, []],
    [{}, [map(".myapp.version", ".image.tag")], { image: { tag: "2.0.0" } }, []],
    [{ image: { tag: "v1", x: "y" } }, [map(".myapp.version", ".image.tag")], {
      image: { tag: "2.0.0", x: "y" },
    }, []],
    [{}, [map(".loki", ".", ".loki.image", ".loki.secret", ".loki.absent.x")], { replicas: 3 }, [
      "replicas=3",
    ]],
    [{ a: "1" }, [map(".loki", ".a", ".loki.image", ".loki.secret")], { a: { replicas: 3 } }, [
      "a.replicas=3",
    ]],
    [{}, [map(".myapp.list", ".list")], { list: [1, 20000000] }, ["list[0]=1", "list[1]=20000000"]],
    [
      {},
      [map(".", ".v", ".myapp", ".loki", ".port")],
      { v: { "a.b": 1000000, big: -1000000, small: 999999, ratio: 1.5 } },
      ["v.a\\.b=1000000", "v.big=-1000000", "v.small=999999"],
    ],
  ];
  for (const [base, mappings, json, set] of rows) {
    const chart = await templates.chart(base, mappings, values);
    assert.deepEqual([JSON.parse(chart.json), chart.set], [json, set], JSON.stringify(mappings));
  }
  const exact = await templates.chart({}, [map(".port", ".")], values);
  assert.deepEqual(exact, { json: '{"x":9007199254740993}', set: ["x=9007199254740993"] });
  const wrong: [ValueMapping, RegExp][] = [
    [map(".absent", ".x"), /sourcePath: there is no value at "\.absent"/],
    [map(".small.x", ".x"), /sourcePath: the path "\.small\.x" goes through another value/],
    [map("small", ".x"), /sourcePath: .*does not begin with a dot/],
    [map(".small", "x"), /targetPath: .*does not begin with a dot/],
    [map(".small", "."), /targetPath: only a map/],
    [map(".small", ".base.x"), /targetPath: .*goes through another value at "base"/],
    [map(".loki", ".x", "."), /excludePaths: the root/],
    [map(".loki", ".x", ".loki.secret.x"), /excludePaths: .*goes through another value/],
  ];
  for (const [mapping, message] of wrong) {
    const error = await refusal(templates.chart({ base: "text" }, [mapping], values));
    assert.equal(error.reason, "ValuesInvalid");
    assert.match(error.message, message);
  }
});

Deno.test("values are checked against the package's schema", async () => {
  const schema = JSON.stringify({
    $schema: "http://json-schema.org/draft-07/schema#",
    type: "object",
    required: ["name", "absent"],
    additionalProperties: false,
    properties: {
      name: { type: "string", pattern: "^[a-z]+$" },
      replicas: { $ref: "#/definitions/count" },
      absent: { type: "string" },
    },
    definitions: { count: { type: "integer", minimum: 1 } },
  });
  const good = [{ yaml: "name: web\nreplicas: 3\nabsent: ''" }];
  assert.deepEqual(await templates.validate(schema, good), []);
  const bad = [{ yaml: "name: Hunter2\nreplicas: 0\nextra: hunter2" }];
  const problems = await templates.validate(schema, bad);
  assert.deepEqual(problems.toSorted(), [
    "(root): Additional property extra is not allowed",
    "(root): absent is required",
    "name: Does not match pattern '^[a-z]+$'",
    "replicas: Must be greater than or equal to 1",
  ]);
  const wrong: [schema: string, message: RegExp][] = [
    ["{", /values\.schema\.json: /],
    ['{"type": "nothing"}', /values\.schema\.json: /],
    ['{"$ref": "file:///etc/passwd"}', /refers to "file:\/\/\/etc\/passwd"/],
    ['{"allOf": [{"$ref": "http://127.0.0.1:1/x"}]}', /refers to "http:/],
    ['{"properties": {"a": {"$ref": "other.json"}}}', /refers to "other\.json"/],
  ];
  for (const [text, message] of wrong) {
    const error = await refusal(templates.validate(text, good));
    assert.equal(error.reason, "ValuesInvalid");
    assert.match(error.message, message);
  }
});

Deno.test("a program that does not answer is said, and without what it was asked", async () => {
  const rows: [command: string, message: RegExp][] = [
    ["/bin/false", /gave no answer/],
    ["/bin/echo", /gave no answer/],
    ["/bin/cat", /gotemplate/],
  ];
  for (const [helm, message] of rows) {
    const other = new GoTemplates({ exec, helm });
    const error = await refusal(other.render([{ name: "x", text: "hunter2" }], OBJECTS));
    assert.equal(error.reason, "TemplateFailed");
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /hunter2/);
  }
});

Deno.test("a settings file may be TOML, as zarf dev generate-config writes it", () =>
  withDirectory(async (dir) => {
    using store = Store.open(`${dir}/data`);
    const digest = digestOf("web");
    const record = store.records.putPackage({
      ...{ digest, name: "web", version: "", architecture: "amd64", kind: "ZarfPackageConfig" },
      ...{ signature: "Unsigned", acceptedAt: "", fileName: "web.tar", bytes: 1 },
      ...{ images: [], manifests: [], blobs: [] },
    });
    const path = `${dir}/web.tar`;
    const outcome = { phase: "Accepted", digest };
    store.records.putDrop({ path, size: 1, mtimeNs: 1n, inode: 1n, outcome });
    const book = new SiteSettingsBook({ store, configured: {}, templates: () => templates });
    const config = `${path}.config.toml`;
    await Deno.writeTextFile(
      config,
      `log_level = 'info'
[package]
oci_concurrency = 6
[package.deploy]
components = 'lion,-bear'
retries = 3
timeout = 900000000000
values = ['v.yaml']
[package.deploy.set]
port = 8080
tls = true
[package.deploy.set_values]
"app.name" = "x"
`,
    );
    await Deno.writeTextFile(`${dir}/v.yaml`, "v: 1\n");
    assert.deepEqual(await book.begin(record), {
      components: "lion,-bear",
      variables: { PORT: "8080", TLS: "true" },
      skipValuesSchema: false,
      values: [{ yaml: "v: 1\n" }, set(".app.name", "x")],
      timeout: 900_000,
      init: {},
    });
    await Deno.writeTextFile(config, "[package.deploy.set]\npassword = hunter2\n");
    const error = await refusal(book.begin(record));
    assert.equal(
      error.message,
      "the settings in web.tar.config.toml cannot be used: " +
        "line 2 is not TOML",
    );
  }));
