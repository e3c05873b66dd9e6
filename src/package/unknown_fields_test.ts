import assert from "node:assert/strict";
import { buildPackage } from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { parseDefinition, readPackage, scoutPackage } from "./mod.ts";
import type { GoType } from "./go_json.ts";
import type { JsonObject, JsonValue } from "./json.ts";
import { unknownFields } from "./unknown_fields.ts";
import { ZARF_PACKAGE } from "./zarf_config.ts";

const FIXTURES = new URL("../../test/fixtures/", import.meta.url);

/** The fields as the fixture writes them: for each mapping, by its path, its keys. */
function flatten({ fields }: GoType, path = ""): [string, string][] {
  if (fields === undefined) return [];
  return [
    [path, Object.keys(fields).sort().join(" ")],
    ...Object.entries(fields).flatMap(([key, below]) =>
      flatten(below, path === "" ? key : `${path}.${key}`)
    ),
  ];
}

Deno.test("the known fields are those of Zarf's schema, none more and none less", () => {
  const url = new URL("zarf-schema/v1alpha1_keys.json", FIXTURES);
  const schema: Record<string, string> = JSON.parse(Deno.readTextFileSync(url));
  assert.deepEqual(Object.fromEntries(flatten(ZARF_PACKAGE)), schema);
});

/** A document with something unknown on every level. */
const DOCUMENT: JsonObject = {
  kind: "ZarfPackageConfig",
  novelty: true,
  metadata: { name: "a", annotations: { any: "thing" }, licence: "MIT" },
  build: { versionRequirements: [{ version: "v0.1.0", because: "x" }], lastNonBreakingVersion: "" },
  components: [
    { name: "a", manifests: [{ name: "m" }, { name: "n", kustomise: [1], kustomizations: [] }] },
    {
      name: "b",
      scripts: { before: ["x"] },
      actions: {
        onDeploy: { before: [{ cmd: "x", setVariable: "A", wait: { cluster: { names: "x" } } }] },
      },
      "x-note": { free: "for all" },
      Images: ["nginx"],
    },
  ],
  constants: [{ name: "A", value: "b", default: "c" }],
  documentation: { readme: "README.md" },
};

Deno.test("unknown fields are told by their paths, in the order of the document", () => {
  assert.deepEqual(unknownFields(DOCUMENT), [
    "novelty",
    "metadata.licence",
    "build.versionRequirements[0].because",
    "build.lastNonBreakingVersion",
    "components[0].manifests[1].kustomise",
    "components[1].actions.onDeploy.before[0].wait.cluster.names",
    "components[1].Images",
    "constants[0].default",
  ]);
});

const KNOWN: readonly (readonly [string, JsonObject])[] = [
  ["nothing", {}],
  ["keys that begin with x-", {
    "x-a": 1,
    metadata: { "x-b": { c: 1 } },
    components: [{ "x-d": 1 }],
  }],
  ["values of another type", { metadata: "text", components: { name: "a" }, build: [1, null] }],
  ["free mappings", {
    documentation: { a: "b" },
    metadata: { annotations: { a: "b" } },
    build: { registryOverrides: { "docker.io": "registry" } },
    components: [{ actions: { onDeploy: { before: [{ setValues: [{ value: { a: 1 } }] }] } } }],
  }],
];

for (const [what, document] of KNOWN) {
  Deno.test(`no field is unknown in a document with ${what}`, () => {
    assert.deepEqual(unknownFields(document), []);
  });
}

Deno.test("what every object has is unknown all the same", () => {
  const document = { toString: 1, constructor: { a: 1 }, hasOwnProperty: 1 };
  assert.deepEqual(unknownFields(document), ["toString", "constructor", "hasOwnProperty"]);
});

Deno.test("neither their number nor their length is without bound", () => {
  const many = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`key${at}`, at]));
  const lists = { components: Array.from<JsonValue>({ length: 1000 }).fill({ odd: 1 }) };
  for (const document of [many, lists, { ...many, ...lists }]) {
    assert.equal(unknownFields(document).length, 50);
  }
  assert.deepEqual(unknownFields({ ["k".repeat(1000)]: 1 }), ["k".repeat(200)]);
});

Deno.test("reader and scout tell the unknown fields of a package and take it", async () => {
  const bytes = buildPackage({
    hooks: {
      definition(definition) {
        definition["novelty"] = 1;
        Object.assign(definition.components[0] ?? {}, { helm: { charts: [] } });
      },
    },
  });
  const options = { format: "tar.zst", architecture: "amd64" } as const;
  const sink = new MemorySink();
  const expected = ["components[0].helm", "novelty"];
  assert.deepEqual(
    (await readPackage(sourceOf(bytes), { ...options, sink })).unknownFields,
    expected,
  );
  assert.deepEqual((await scoutPackage(sourceOf(bytes), options)).unknownFields, expected);
});

for (const { name } of Deno.readDirSync(new URL("packages/", FIXTURES))) {
  if (!/\.tar(\.zst)?$/.test(name)) continue;
  Deno.test(`of ${name} only what Zarf itself gave up is unknown`, async () => {
    const format = name.endsWith(".tar") ? "tar" : "tar.zst";
    const bytes = await Deno.readFile(new URL(`packages/${name}`, FIXTURES));
    const scouted = await scoutPackage(sourceOf(bytes), { format, architecture: "amd64" });
    const old = name.startsWith("zarf-package-test-");
    assert.deepEqual(scouted.unknownFields, old ? ["build.lastNonBreakingVersion"] : []);
  });
}

Deno.test("deprecated fields that are migrated are known fields", () => {
  const { raw } = parseDefinition(new TextEncoder().encode(`
kind: ZarfPackageConfig
metadata: { name: old, yolo: true }
components:
- name: web
  group: a
  scripts: { showOutput: true, timeoutSeconds: 1, retry: true, prepare: [a], before: [b], after: [c] }
  actions: { onDeploy: { after: [{ cmd: x, setVariable: A }] } }
  dataInjections: [{ source: a, target: { namespace: a, selector: b, container: c, path: d } }]
`));
  assert.deepEqual(unknownFields(raw), []);
});
