import assert from "node:assert/strict";
import { dump } from "js-yaml";
import { parseDefinition } from "./definition.ts";
import { PackageError, type PackageErrorReason } from "./errors.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** A definition with one component. */
function define(component: Record<string, unknown> = {}, rest: Record<string, unknown> = {}) {
  return parseDefinition(bytes(dump({
    kind: "ZarfPackageConfig",
    metadata: { name: "sample" },
    components: [{ name: "web", ...component }],
    ...rest,
  })));
}

function refuses(reason: PackageErrorReason, message: string, action: () => unknown): void {
  assert.throws(action, (error) => {
    assert(error instanceof PackageError, String(error));
    assert.equal(error.reason, reason, error.message);
    assert(error.message.startsWith("zarf.yaml: "), error.message);
    assert(error.message.includes(message), error.message);
    return true;
  });
}

Deno.test("what is left out has Zarf's defaults", () => {
  const definition = define({ charts: [{ name: "c" }], manifests: [{ name: "m" }] });
  const [component] = definition.components;
  assert.deepEqual(
    [component?.required, component?.default, component?.images, component?.repos],
    [false, false, [], []],
  );
  assert.equal(component?.charts[0]?.schemaValidation, true);
  assert.equal(component?.charts[0]?.serverSideApply, "auto");
  assert.deepEqual(component?.manifests[0]?.files, []);
  assert.deepEqual(component?.actions.onDeploy.before, []);
  assert.deepEqual(component?.actions.onRemove.defaults.env, []);
  assert.equal(definition.metadata.allowNamespaceOverride, true);
  assert.equal(definition.build.signed, undefined);
  assert.equal(definition.architecture, "");
});

Deno.test("unknown keys and empty values are tolerated, and kept in the raw document", () => {
  const definition = parseDefinition(bytes(`
kind: ZarfPackageConfig
metadata: { name: old, version: 1, image: https://example.org/logo.png }
build: { lastNonBreakingVersion: v0.27.0, signed: true, architecture: arm64 }
components:
- name: web
  images:
  charts: null
  novelty: { deep: [1, 2] }
`));
  assert.equal(definition.metadata.version, "1");
  assert.equal(definition.build.signed, true);
  assert.equal(definition.architecture, "arm64");
  assert.deepEqual(definition.components[0]?.images, []);
  assert.deepEqual(definition.raw["components"], [{ name: "web", novelty: { deep: [1, 2] } }]);
  assert.deepEqual(JSON.parse(JSON.stringify(definition.raw)), definition.raw);
});

Deno.test("the v1alpha1 document counts, another version beside it is not looked at", () => {
  const definition = parseDefinition(bytes(`
apiVersion: zarf.dev/v9
kind: Something
metadata: { name: other }
---
kind: ZarfPackageConfig
metadata: { name: sample, aggregateChecksum: abc }
components: [{ name: web }]
---
`));
  assert.equal(definition.metadata.name, "sample");
  assert.equal(definition.aggregateChecksum, "abc");
});

Deno.test("old scripts and setVariable are read as what they became", () => {
  const [component] = define({
    scripts: { before: ["one"], retry: true },
    actions: { onDeploy: { after: [{ cmd: "x", setVariable: "A" }] } },
  }).components;
  const { before, after, defaults } = component?.actions.onDeploy ?? assert.fail();
  assert.deepEqual(before.map(({ cmd }) => cmd), ["one"]);
  assert.deepEqual(after[0]?.setVariables.map(({ name }) => name), ["A"]);
  assert.equal(defaults.maxRetries, 10_000);
});

Deno.test("definitions that cannot be right are refused with the place", async (t) => {
  const yaml = (text: string) => () => parseDefinition(bytes(text));
  const cases: [string, PackageErrorReason, string, () => unknown][] = [
    ["not YAML", "InvalidDefinition", "not readable as YAML", yaml("a: [1\nb: }")],
    ["not UTF-8", "InvalidDefinition", "not readable", () => parseDefinition(Uint8Array.of(0xff))],
    ["a custom tag", "InvalidDefinition", "not readable", yaml("kind: !!js/function 'x'")],
    ["a duplicate key", "InvalidDefinition", "not readable", yaml("kind: a\nkind: b")],
    ["a list", "InvalidDefinition", "not a mapping", yaml("- a")],
    ["nothing", "UnsupportedDefinition", "no zarf.dev/v1alpha1", yaml("")],
    [
      "v1beta1 alone",
      "UnsupportedDefinition",
      "only zarf.dev/v1beta1",
      yaml("apiVersion: zarf.dev/v1beta1"),
    ],
    [
      "a later version",
      "UnsupportedDefinition",
      "no zarf.dev/v1alpha1",
      yaml("apiVersion: zarf.dev/v2"),
    ],
    ["v1alpha1 twice", "InvalidDefinition", "two", yaml("kind: a\n---\nkind: b")],
    ["another kind", "UnsupportedDefinition", "kind", () => define({}, { kind: "Deployment" })],
    ["no name", "InvalidDefinition", "metadata.name", () => define({}, { metadata: {} })],
    [
      "a name with a slash",
      "InvalidDefinition",
      "metadata.name",
      () => define({}, { metadata: { name: "a/b" } }),
    ],
    [
      "a version that climbs",
      "InvalidDefinition",
      "metadata.version",
      () => define({}, { metadata: { name: "a", version: ".." } }),
    ],
    ["no components", "InvalidDefinition", "components", () => define({}, { components: [] })],
    [
      "a component named ..",
      "InvalidDefinition",
      "components.0.name",
      () => define({ name: ".." }),
    ],
    [
      "a chart name with a slash",
      "InvalidDefinition",
      "components.0.charts.0.name",
      () => define({ charts: [{ name: "a/b" }] }),
    ],
    [
      "a component twice",
      "InvalidDefinition",
      '"a" is there twice',
      () => define({}, { components: [{ name: "a" }, { name: "a" }] }),
    ],
    [
      "text for a list",
      "InvalidDefinition",
      "components.0.images",
      () => define({ images: "nginx" }),
    ],
    [
      "text for a flag",
      "InvalidDefinition",
      "components.0.required",
      () => define({ required: "perhaps" }),
    ],
  ];
  for (const [name, reason, message, action] of cases) {
    await t.step(name, () => refuses(reason, message, action));
  }
});

Deno.test("a definition over its size limit is not even looked at", () => {
  refuses("LimitExceeded", "has 10 bytes, the limit is 9", () => {
    parseDefinition(bytes("kind: [[[["), 9);
  });
});

Deno.test("components are counted before their defaults are filled in", () => {
  const components = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ name: `c${n}` }));
  assert.equal(define({}, { components: components(1000) }).components.length, 1000);
  refuses("LimitExceeded", "zarf.yaml: has 1001 components, the limit is 1000", () => {
    define({}, { components: components(1001) });
  });
});

Deno.test("a few lines of aliases that stand for billions of values are refused", () => {
  const levels = Array.from(
    { length: 12 },
    (_, level) =>
      `l${level}: &l${level} [${Array(10).fill(level === 0 ? "x" : `*l${level - 1}`).join(", ")}]`,
  );
  refuses("LimitExceeded", "values", () => parseDefinition(bytes(levels.join("\n"))));
  const many = `a: &a x\nb: [${Array(1001).fill("*a").join(", ")}]`;
  refuses("InvalidDefinition", "not readable", () => parseDefinition(bytes(many)));
});
