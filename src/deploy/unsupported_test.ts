import assert from "node:assert/strict";
import { parseDefinition } from "../package/mod.ts";
import { DeployError } from "./errors.ts";
import { preflight } from "./preflight.ts";
import { unsupported } from "./unsupported.ts";

function definition(components: unknown[], more: Record<string, unknown> = {}) {
  return parseDefinition(new TextEncoder().encode(JSON.stringify({
    kind: "ZarfPackageConfig",
    metadata: { name: "shop" },
    components,
    ...more,
  })));
}

Deno.test("each feature that is not there yet is named with its component", () => {
  const rows: [name: string, component: Record<string, unknown>, expected: RegExp | undefined][] = [
    ["nothing special", { manifests: [{ name: "m", files: ["a"] }] }, undefined],
    ["actions", { actions: { onDeploy: { before: [{ cmd: "x" }] } } }, undefined],
    ["files", { files: [{ source: "a", target: "/b" }] }, undefined],
    [
      "an action's template",
      { actions: { onDeploy: { after: [{ cmd: "x", template: true }] } } },
      undefined,
    ],
    ["a file's template", { files: [{ source: "a", target: "/b", template: true }] }, undefined],
    ["repositories", { repos: ["https://x.example/y.git"] }, /git/],
    [
      "data injections",
      {
        dataInjections: [{
          source: "a",
          target: { namespace: "n", selector: "s", container: "c", path: "/" },
        }],
      },
      undefined,
    ],
    ["a group", { group: "db" }, undefined],
    ["a manifest template", { manifests: [{ name: "m", template: true }] }, undefined],
    ["values templates", { charts: [{ name: "c", templatedValuesFiles: ["a"] }] }, undefined],
    [
      "package values",
      { charts: [{ name: "c", values: [{ sourcePath: ".", targetPath: "." }] }] },
      undefined,
    ],
    ["images and health checks", {
      images: ["a:1"],
      healthChecks: [{ apiVersion: "v1", kind: "Pod", name: "x" }],
    }, undefined],
  ];
  for (const [name, component, expected] of rows) {
    const found = unsupported(definition([{ name: "web", required: true, ...component }]));
    assert.equal(found.length, expected === undefined ? 0 : 1, `${name}: ${found}`);
    if (expected === undefined) continue;
    assert.match(found.join(), /component "web"/, name);
    assert.match(found.join(), expected, name);
  }
});

Deno.test("repositories are fine where there is git", () => {
  const repos = ["https://x.example/y.git"];
  const pkg = definition([{ name: "web", required: true, repos }]);
  assert.deepEqual(unsupported(pkg, pkg.components, { git: true }), []);
  assert.deepEqual(preflight(pkg, { git: true }).components.length, 1);
  assert.throws(
    () => preflight(pkg),
    /component "web" brings git repositories, and there is no git/,
  );
});

Deno.test("a YOLO package is refused", () => {
  const yolo = definition([{ name: "web", required: true }], {
    metadata: { name: "a", yolo: true },
  });
  assert.match(unsupported(yolo).join(), /YOLO/);
});

Deno.test("of an init package the component that makes a cluster is refused, when it is chosen", () => {
  const init = (required: boolean, kind = "ZarfInitConfig") =>
    definition([{ name: "k3s", required }, { name: "zarf-registry", required: true }], { kind });
  assert.throws(() => preflight(init(true)), /component "k3s" installs a Kubernetes/);
  assert.throws(() => preflight(init(false), { components: "k3s" }), /installs a Kubernetes/);
  assert.deepEqual(preflight(init(false)).components.map(({ name }) => name), ["zarf-registry"]);
  assert.equal(preflight(init(true, "ZarfPackageConfig")).components.length, 2);
});

Deno.test("a package is refused as a whole, and not for what only a deselected component uses", () => {
  const withRepos = { repos: ["https://x.example/y.git"] };
  const accepted = definition([{ name: "web", required: true }, {
    name: "optional",
    ...withRepos,
  }]);
  assert.deepEqual(preflight(accepted).components.map(({ name }) => name), ["web"]);
  const refused = definition([{ name: "web", required: true }, {
    name: "two",
    default: true,
    ...withRepos,
  }]);
  assert.throws(() => preflight(refused), (error) => {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "Unsupported");
    assert.equal(error.disposition, "terminal");
    assert.match(error.message, /package "shop".*component "two" brings git/);
    return true;
  });
});
