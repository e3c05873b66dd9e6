import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import {
  type DeployContext,
  DeployError,
  deployPackage,
  GoTemplates,
  preflightValues,
} from "../../src/deploy/mod.ts";
import { parseDefinition } from "../../src/package/mod.ts";
import { exec } from "../../src/std/mod.ts";
import { newState, saveState } from "../../src/zarf/mod.ts";
import { ApiObjects, namespace } from "../fakes/api_objects.ts";
import { HelmInMemory } from "../fakes/helm_in_memory.ts";
import { withDirectory } from "../fakes/testing.ts";
import { writePackage } from "./support/deploy_fixture.ts";

/*
 * Values are looked at before anything is touched, and templates are filled in by the real program;
 * the cluster is in memory. The table is Zarf's own (Zarf 0.84, values_preflight_test.go).
 */

const HELM = await ensureTool(TOOLS.helm);
const templates = new GoTemplates({ exec, helm: HELM });

interface Case {
  readonly name: string;
  readonly components: readonly Record<string, unknown>[];
  readonly values?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** What the refusal says; left out, it is fine. */
  readonly refused?: RegExp;
}

const actions = (onDeploy: Record<string, unknown>) => ({ actions: { onDeploy } });
const echo = (text: string) => ({ cmd: `echo {{ ${text} }}`, template: true });
const sets = (key: string, type = "yaml") => ({ cmd: "get", setValues: [{ key, type }] });
const after = (name: string, text: string) => ({ name, ...actions({ after: [echo(text)] }) });
const before = (name: string, key: string, type?: string) => ({
  name,
  ...actions({ before: [sets(key, type)] }),
});
const chart = (sourcePath: string, more = {}) => ({
  name: "a",
  charts: [{ name: "chart", values: [{ sourcePath, targetPath: ".dst" }] }],
  ...more,
});

const CASES: readonly Case[] = [
  { name: "nothing needs a value", components: [{ name: "a" }] },
  {
    name: "undefined value",
    components: [after("a", ".Values.missing")],
    refused: /component "a" action "echo .*" names \.Values\.missing, which has no value/,
  },
  {
    name: "value that is there",
    components: [after("a", ".Values.app.name")],
    values: "app: {name: x}",
  },
  {
    name: "empty value",
    components: [after("a", ".Values.app.name")],
    values: "app: {name: null}",
  },
  {
    name: "part of a path",
    components: [after("a", ".Values.app.name")],
    values: "app: {other: x}",
    refused: /\.Values\.app\.name/,
  },
  {
    name: "path through text",
    components: [after("a", ".Values.app.name")],
    values: "app: text",
    refused: /\.Values\.app\.name/,
  },
  {
    name: "value set by an earlier component",
    components: [before("a", ".db"), after("b", ".Values.db.host")],
  },
  {
    name: "value set as text by an earlier component",
    components: [before("a", ".db", "string"), after("b", ".Values.db.host")],
  },
  {
    name: "value set by a later component",
    components: [after("a", ".Values.db.host"), before("b", ".db")],
    refused: /\.Values\.db\.host/,
  },
  {
    name: "value below the one that is set",
    components: [before("a", ".db.host"), after("b", ".Values.db.port")],
    refused: /\.Values\.db\.port/,
  },
  {
    name: "value set before in the same component",
    components: [{
      name: "a",
      ...actions({ before: [sets(".db")], after: [echo(".Values.db.host")] }),
    }],
  },
  {
    name: "value set by a later action before",
    components: [{ name: "a", ...actions({ before: [echo(".Values.db.host"), sets(".db")] }) }],
    refused: /\.Values\.db\.host/,
  },
  {
    name: "value set by a later action after",
    components: [{ name: "a", ...actions({ after: [echo(".Values.db.host"), sets(".db")] }) }],
    refused: /\.Values\.db\.host/,
  },
  {
    name: "value that only an action on success sets",
    components: [{
      name: "a",
      ...actions({ onSuccess: [sets(".db")], onFailure: [echo(".Values.db.host")] }),
    }],
  },
  {
    name: "root set by an earlier component",
    components: [before("a", "."), after("b", ".Values.anything")],
  },
  {
    name: "root set by a later component",
    components: [after("a", ".Values.anything"), before("b", ".")],
    refused: /\.Values\.anything/,
  },
  { name: "a variable", components: [after("a", ".Variables.FOO")] },
  { name: "a constant", components: [after("a", ".Constants.BAR")] },
  {
    name: "an action that is no template",
    components: [{ name: "a", ...actions({ after: [{ cmd: "echo {{ .Values.missing }}" }] }) }],
  },
  {
    name: "a chart's value that is there",
    components: [chart(".registry.port")],
    values: "registry: {port: 5000}",
  },
  {
    name: "the root for a chart",
    components: [chart(".")],
  },
  {
    name: "a chart's value that is not there",
    components: [chart(".registry.port")],
    refused: /chart "chart" is given \.registry\.port, which has no value/,
  },
  {
    name: "a chart's value set by an action before",
    components: [chart(".registry.port", actions({ before: [sets(".registry")] }))],
  },
  {
    name: "a chart's value set by an action after",
    components: [chart(".registry.port", actions({ after: [sets(".registry")] }))],
    refused: /\.registry\.port/,
  },
  {
    name: "a wait for an object",
    components: [{
      name: "a",
      ...actions({
        after: [{
          wait: { cluster: { kind: "Pod", name: "x", condition: "{{ .Values.missing }}" } },
          template: true,
        }],
      }),
    }],
    refused: /action "wait" names \.Values\.missing/,
  },
  {
    name: "a wait for an address",
    components: [{
      name: "a",
      ...actions({
        after: [{
          wait: { network: { protocol: "http", address: "{{ .Values.host }}:8080" } },
          description: "the host",
          template: true,
        }],
      }),
    }],
    refused: /action "the host" names \.Values\.host/,
  },
  {
    name: "no template",
    components: [{ name: "a", ...actions({ before: [{ cmd: "{{ .Values", template: true }] }) }],
    refused: /action "\{\{ \.Values" is no Go template: .*unclosed action/,
  },
  {
    name: "a manifest",
    components: [{
      name: "a",
      manifests: [
        { name: "m", template: true, files: ["x", "y"], kustomizations: ["k"] },
        { name: "n", files: ["x"] },
      ],
    }],
    files: {
      "a/manifests/m-0.yaml": "{{ .Values.one }}",
      "a/manifests/m-1.yaml": "{{ .Values.two }}",
      "a/manifests/kustomization-m-0.yaml": "{{ .Values.three }}",
      "a/manifests/n-0.yaml": "{{ .Values.four }}",
    },
    values: "one: 1",
    refused: /^[^;]*component "a" manifest "m" names \.Values\.two, which has no value$/,
  },
  {
    name: "values files",
    components: [{
      name: "a",
      charts: [{ name: "c", version: "1", valuesFiles: ["x"], templatedValuesFiles: ["y"] }],
    }],
    files: { "a/values/c-1-0": "{{ .Values.one }}", "a/values/c-1-1": "{{ .Values.two }}" },
    refused: /^[^;]*component "a" chart "c" names \.Values\.two, which has no value$/,
  },
  {
    name: "files and directories of files",
    components: [{
      name: "a",
      files: [
        { source: "x", target: "/etc/x.conf", template: true },
        { source: "y", target: "/etc/y/", template: true },
        { source: "z", target: "/etc/z" },
      ],
    }],
    files: {
      "a/files/0/x.conf": "{{ .Values.one }}",
      "a/files/1/y/deep/er": "{{ .Values.two }}",
      "a/files/2/z": "{{ .Values.three }}",
    },
    refused:
      /file "\/etc\/x\.conf" names \.Values\.one.*file "\/etc\/y\/" names \.Values\.two[^;]*$/,
  },
  {
    name: "the same mistake many times",
    components: [{ name: "a", ...actions({ after: [echo(".Values.x"), echo(".Values.x")] }) }],
    refused: /^[^;]*\.Values\.x, which has no value$/,
  },
];

for (const { name, components, values = "", files = {}, refused } of CASES) {
  Deno.test(`before a deployment: ${name} is ${refused === undefined ? "fine" : "refused"}`, () =>
    withDirectory(async (directory) => {
      for (const [path, text] of Object.entries(files)) {
        const file = `${directory}/components/${path}`;
        Deno.mkdirSync(file.slice(0, file.lastIndexOf("/")), { recursive: true });
        Deno.writeTextFileSync(file, text);
      }
      const definition = parseDefinition(new TextEncoder().encode(JSON.stringify({
        kind: "ZarfPackageConfig",
        metadata: { name: "shop" },
        components,
      })));
      const looking = preflightValues({
        ...{ components: definition.components, directory, templates },
        values: [{ yaml: values }],
      });
      if (refused === undefined) return await looking;
      await assert.rejects(looking, (error) => {
        assert.ok(error instanceof DeployError);
        assert.equal(error.reason, "ValuesInvalid");
        assert.equal(error.kept, "the cluster was not touched");
        assert.match(error.message, refused);
        return true;
      });
    }));
}

Deno.test("where nothing needs a value no program is started", () =>
  withDirectory(async (directory) => {
    const idle = new GoTemplates({ exec: () => assert.fail("it was started"), helm: HELM });
    const { components } = parseDefinition(new TextEncoder().encode(JSON.stringify({
      kind: "ZarfPackageConfig",
      metadata: { name: "shop" },
      components: [before("a", ".db"), { name: "b", manifests: [{ name: "m", files: ["x"] }] }],
    })));
    const values = [{ yaml: "a: 1" }];
    await preflightValues({ components, directory, values, templates: idle });
  }));

/** A cluster in memory; Helm is, too, but fills in templates in earnest. */
class Site implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly helm = new HelmInMemory(this.api);
  readonly dataDir = Deno.makeTempDirSync();

  async ready(): Promise<this> {
    this.api.put(namespace("zarf"));
    const address = { registryAddress: "127.0.0.1:31999", port: 31999 };
    await saveState(this.api.client, newState({ ...address, ipFamily: "ipv4" }));
    this.api.writes.length = 0;
    return this;
  }

  deploy(more: Partial<DeployContext>) {
    const pkg = writePackage(this.dataDir, {
      definition: {
        metadata: { name: "shop", version: "1.0.0" },
        variables: [{ name: "GREETING", default: "hello" }],
        values: { files: ["values.yaml"] },
        components: [
          {
            name: "web",
            required: true,
            stateAccess: ["gitCredentials"],
            manifests: [{ name: "m", namespace: "shop", template: true, files: ["cm.yaml"] }],
          },
          { name: "extra", manifests: [{ name: "m", namespace: "shop", files: ["cm.yaml"] }] },
        ],
      },
      files: {
        "values.yaml": "app: { name: web, replicas: 1 }\n",
        "values.schema.json": JSON.stringify({
          type: "object",
          properties: { app: { properties: { replicas: { type: "integer", minimum: 1 } } } },
        }),
        "components/web/manifests/m-0.yaml": TEMPLATED,
        "components/extra/manifests/m-0.yaml": TEMPLATED.replace("{{ .Values.app.name }}", "extra"),
      },
    });
    return deployPackage(pkg, {
      kube: this.api.client,
      dataDir: this.dataDir,
      kubeconfig: "/kubeconfig",
      tools: { helm: HELM, postRenderer: { command: "/holdfast", args: ["post-render"] } },
      timeout: 120_000,
      exec: (command, options) =>
        (options.args?.[0] === "gotemplate" ? exec : this.helm.exec)(command, options),
      ...more,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.api[Symbol.asyncDispose]();
    Deno.removeSync(this.dataDir, { recursive: true });
  }
}

const TEMPLATED = `apiVersion: v1
kind: ConfigMap
metadata: { name: "{{ .Values.app.name }}" }
data:
  replicas: "{{ .Values.app.replicas }}"
  greeting: "{{ .Variables.GREETING }} ###ZARF_VAR_GREETING###"
  state: "{{ .State.Registry.Address }}{{ .State.Git.PushPassword }}"
  components: "{{ range .Pkg.Components }}{{ .Name }}{{ end }}"
`;

Deno.test("a package is deployed with the site's values, and its templates see the cluster", async () => {
  await using site = await new Site().ready();
  const set = { path: ".app.replicas", text: "3", type: "inferred" as const };
  await site.deploy({
    variables: { greeting: "hi" },
    values: [{ yaml: "app: {name: ours}" }, { set }],
  });
  assert.deepEqual(site.api.find("configmaps", "ours")?.["data"], {
    replicas: "3",
    greeting: "hi hi",
    state: "127.0.0.1:31999",
    components: "web",
  });
  await site.deploy({ components: "extra" });
  assert.ok(site.api.find("configmaps", "extra"), "the site chose it");
  assert.equal(site.api.find("configmaps", "web")?.["data"]["components"], "webextra");
});

Deno.test("values that will not do are refused before anything is touched", async () => {
  await using site = await new Site().ready();
  const bad = [{ yaml: "app: { replicas: 0 }" }];
  await assert.rejects(site.deploy({ values: bad }), (error) => {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "ValuesInvalid");
    assert.equal(error.disposition, "terminal");
    assert.match(error.message, /schema does not allow them: app\.replicas: .*equal to 1/);
    return true;
  });
  await assert.rejects(
    site.deploy({ values: [{ yaml: "app: text" }] }),
    /manifest "m" names \.Values\.app\.name, which has no value/,
  );
  assert.deepEqual([site.api.writes, site.helm.calls], [[], []]);
  await site.deploy({ values: bad, skipValuesSchema: true });
  assert.equal(site.api.find("configmaps", "web")?.["data"]["replicas"], "0");
});
