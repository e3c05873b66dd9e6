import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { parseDefinition } from "../package/mod.ts";
import { dirname, type ExecOptions } from "../std/mod.ts";
import { DeployError } from "./errors.ts";
import { Helm } from "./helm.ts";
import { ComponentRenderer } from "./render.ts";
import { resolveVariables } from "./variables.ts";

const DEFINITION = parseDefinition(new TextEncoder().encode(JSON.stringify({
  kind: "ZarfPackageConfig",
  metadata: { name: "shop" },
  constants: [{ name: "TAG", value: "1.0.0" }],
  variables: [{ name: "TITLE", default: "Shop" }, { name: "SIZE", default: "3" }],
  components: [{
    name: "web",
    manifests: [
      { name: "m", namespace: "shop", files: ["some/where.yaml"], kustomizations: ["k"] },
      { name: "n", files: ["n.yaml"] },
    ],
    charts: [{
      name: "app",
      version: "0.1.0",
      namespace: "shop",
      valuesFiles: ["values/base.yaml", "values/site.yaml"],
      variables: [{ name: "SIZE", description: "", path: "size" }],
    }, { name: "plain" }],
  }],
})));

const FILES = {
  "manifests/m-0.yaml": "tag: ###ZARF_CONST_TAG###\nregistry: ###ZARF_REGISTRY###\n",
  "manifests/kustomization-m-0.yaml": "title: ###ZARF_VAR_TITLE###\n",
  "manifests/n-0.yaml": "n: 1\n",
  "values/app-0.1.0-0": "title: ###ZARF_VAR_TITLE###\n",
  "values/app-0.1.0-1": "size: 1\n",
};

/** A renderer of the component with these files. */
async function withRenderer(
  files: Readonly<Record<string, string>>,
  action: (renderer: ComponentRenderer, root: string) => void | Promise<void>,
): Promise<void> {
  await withDirectory(async (root) => {
    for (const [path, text] of Object.entries(files)) {
      const file = `${root}/package/components/web/${path}`;
      Deno.mkdirSync(dirname(file), { recursive: true });
      Deno.writeTextFileSync(file, text);
    }
    Deno.mkdirSync(`${root}/work`);
    const [component] = DEFINITION.components;
    assert(component !== undefined);
    const variables = resolveVariables(DEFINITION, {
      given: { title: "Ours" },
      readTextFile: () => undefined,
    });
    const options = {
      definition: DEFINITION,
      directory: `${root}/package`,
      workDir: `${root}/work`,
      variables,
    };
    await action(new ComponentRenderer(component, options), root);
  });
}

Deno.test("manifests come in Zarf's order, filled in with what the package and the site say", () =>
  withRenderer(FILES, async (renderer) => {
    assert.deepEqual(await renderer.manifests(), [
      {
        component: "web",
        name: "m",
        namespace: "shop",
        source: "manifests/m-0.yaml",
        text: "tag: 1.0.0\nregistry: ###ZARF_REGISTRY###\n",
      },
      {
        component: "web",
        name: "m",
        namespace: "shop",
        source: "manifests/kustomization-m-0.yaml",
        text: "title: Ours\n",
      },
      {
        component: "web",
        name: "n",
        namespace: "default",
        source: "manifests/n-0.yaml",
        text: "n: 1\n",
      },
    ]);
  }));

Deno.test("values are the files under the author's names, then what variables set", () =>
  withRenderer(FILES, async (renderer) => {
    assert.deepEqual(
      (await renderer.values()).map(({ name, source, text }) => [name, source, text]),
      [
        ["app", "values/base.yaml", "title: Ours\n"],
        ["app", "values/site.yaml", "size: 1\n"],
        ["app", "variables", '{"size":"3"}'],
      ],
    );
  }));

Deno.test("charts are rendered by Helm as for a first install, and filled in once more", () =>
  withRenderer(FILES, async (renderer, root) => {
    const calls: ExecOptions[] = [];
    const helm = new Helm({
      exec: (_, options) => {
        calls.push(options);
        const stdout = `of: ${options.args?.[1]}\ntag: ###ZARF_CONST_TAG###\n`;
        return Promise.resolve({ code: 0, timedOut: false, stdout, stderr: "" });
      },
      helm: "helm",
      home: `${root}/helm`,
      kubeconfig: `${root}/none`,
      postRenderer: { command: "false", args: [] },
    });
    assert.deepEqual(
      (await renderer.charts(helm, "v1.30.0")).map(({ source, namespace, text }) => [
        source,
        namespace,
        text,
      ]),
      [
        ["charts/app-0.1.0.tgz", "shop", "of: app\ntag: 1.0.0\n"],
        ["charts/plain.tgz", "default", "of: plain\ntag: 1.0.0\n"],
      ],
    );
    const [args = []] = calls.map((call) => call.args);
    assert.equal(args[0], "template");
    assert(args.includes("--include-crds"));
    assert.equal(args[args.indexOf("--kube-version") + 1], "v1.30.0");
    assert.equal(args.filter((arg) => arg === "--values").length, 3);
    assert(!args.includes("--post-renderer"));
  }));

for (const missing of ["manifests/m-0.yaml", "values/app-0.1.0-1"] as const) {
  Deno.test(`a package without its ${missing} is broken, and the file is named`, async () => {
    const { [missing]: _, ...rest } = FILES;
    await assert.rejects(
      withRenderer(rest, async (renderer) => {
        await renderer.manifests();
        await renderer.values();
      }),
      (error) => {
        assert(error instanceof DeployError);
        assert.equal(error.reason, "PackageBroken");
        assert(error.message.includes(missing), error.message);
        return true;
      },
    );
  });
}
