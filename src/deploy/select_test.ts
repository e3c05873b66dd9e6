import assert from "node:assert/strict";
import { parseDefinition } from "../package/mod.ts";
import { DeployError } from "./errors.ts";
import { selectComponents, whyChosen } from "./select.ts";

interface Given {
  readonly name: string;
  readonly required?: boolean;
  readonly default?: boolean;
  readonly group?: string;
  readonly only?: { readonly localOS: string };
}

function select(components: readonly Given[], request?: string): string[] {
  const definition = parseDefinition(new TextEncoder().encode(JSON.stringify({
    kind: "ZarfPackageConfig",
    metadata: { name: "shop" },
    components,
  })));
  return selectComponents(definition, request).map(({ name }) => name);
}

function refusal(components: readonly Given[], request: string): string {
  try {
    return select(components, request).join();
  } catch (error) {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "SelectionInvalid");
    assert.equal(error.disposition, "terminal");
    return error.message;
  }
}

/** Of Zarf's own table: every kind of component outside a group, and two groups of six. */
const MATRIX: readonly Given[] = [
  { name: "default-unset", default: true },
  { name: "default-required", default: true, required: true },
  { name: "default-optional", default: true, required: false },
  { name: "unset" },
  { name: "required", required: true },
  { name: "optional", required: false },
  { name: "foo-1", group: "foo", default: true },
  { name: "foo-2", group: "foo", required: false },
  { name: "foo-3", group: "foo" },
  { name: "bar-1", group: "bar", default: true },
  { name: "bar-2", group: "bar" },
  { name: "bar-3", group: "bar", required: false },
];

Deno.test("components are chosen as Zarf chooses them (filters/deploy_test.go)", () => {
  const defaults = ["default-unset", "default-required", "default-optional"];
  const rows: [name: string, request: string, expected: string[]][] = [
    ["nobody chooses", "", [...defaults, "required", "foo-1", "bar-1"]],
    [
      "optional ones are named and a required one is left out",
      "optional,bar-2,-required",
      [...defaults, "required", "optional", "foo-1", "bar-2"],
    ],
    [
      "a default one is left out",
      "-default-unset",
      ["default-required", "default-optional", "required", "foo-1", "bar-1"],
    ],
    ["a pattern", "uns*", [...defaults, "unset", "required", "foo-1", "bar-1"]],
    [
      "leaving out wins over naming, wherever it stands",
      "*optional,-default-o*",
      ["default-unset", "default-required", "required", "optional", "foo-1", "bar-1"],
    ],
    ["the default of a group is left out for another", "-foo-1,foo-3", [
      ...defaults,
      "required",
      "foo-3",
      "bar-1",
    ]],
    ["capitals, spaces and empty items", " Optional , ", [
      ...defaults,
      "required",
      "optional",
      "foo-1",
      "bar-1",
    ]],
    ["everything", "*unset,*required,*optional", [
      ...defaults,
      "unset",
      "required",
      "optional",
      "foo-1",
      "bar-1",
    ]],
  ];
  for (const [name, request, expected] of rows) {
    assert.deepEqual(select(MATRIX, request), expected, name);
  }
});

Deno.test("a choice that cannot be met is refused with what can be chosen", () => {
  const group: Given[] = [{ name: "postgres", group: "db" }, { name: "mysql", group: "db" }];
  const rows: [name: string, components: readonly Given[], request: string, message: RegExp][] = [
    ["a group without default", group, "", /"db".*choose one of postgres, mysql/],
    ["a group of which nothing is named", [...group, { name: "web" }], "web", /choose one of/],
    ["two of a group", MATRIX, "foo-2,foo-3", /group "foo".*"foo-2" and "foo-3"/],
    ["two of a group by one pattern", MATRIX, "foo-*", /"foo-1" and "foo-2" and "foo-3"/],
    ["a name that is not there", MATRIX, "nonexistent", /no component "nonexistent"$/],
    ["a name that is nearly there", [{ name: "registry" }], "registri", /it has registry$/],
    ["a name to leave out that is not there", MATRIX, "-absent", /no component "-absent"/],
    ["an item that another one was before", [{ name: "web" }], "web,w*", /no component "w\*"/],
    ["an item that is left out by another one", [{ name: "web" }], "web,-w*", /component "web"/],
    ["no pattern", MATRIX, "[", /"\[" is not a pattern/],
    ["no pattern to leave out", MATRIX, "-[", /"-\[" is not a pattern/],
    ["too many items", MATRIX, Array.from({ length: 1001 }, (_, i) => i).join(), /limit is 1000/],
  ];
  for (const [name, components, request, message] of rows) {
    assert.match(refusal(components, request), message, name);
  }
});

Deno.test("components for another operating system cannot be chosen", () => {
  const components: Given[] = [
    { name: "mac", required: true, only: { localOS: "darwin" } },
    { name: "linux", required: true, only: { localOS: "linux" } },
  ];
  assert.deepEqual(select(components), ["linux"]);
  assert.match(refusal(components, "mac"), /no component "mac"/);
});

Deno.test("a group stands where its first component stands", () => {
  const components: Given[] = [
    { name: "a", group: "g" },
    { name: "b", required: true },
    { name: "c", group: "g", default: true },
  ];
  assert.deepEqual(select(components), ["c", "b"]);
  assert.deepEqual(select(components, "a"), ["a", "b"]);
});

const WHY: readonly [string, Given, string | undefined, string][] = [
  ["that is required", { name: "a", required: true }, undefined, "required"],
  ["that is required and asked for", { name: "a", required: true }, "a", "required"],
  ["by default", { name: "a", default: true }, undefined, "default"],
  ["by default beside a request", { name: "a", default: true }, "b", "default"],
  ["that is asked for", { name: "a" }, "a", "chosen"],
  ["that nobody asked for", { name: "a" }, "b", "not chosen"],
  ["that is left out", { name: "a", default: true }, "-a,b", "deselected"],
  ["for another system", { name: "a", only: { localOS: "windows" } }, "b", "only for windows"],
];

for (const [name, given, request, expected] of WHY) {
  Deno.test(`why a component ${name} is deployed or left out is told`, () => {
    const definition = parseDefinition(new TextEncoder().encode(JSON.stringify({
      kind: "ZarfPackageConfig",
      metadata: { name: "shop" },
      components: [given, { name: "b" }],
    })));
    const [component] = definition.components;
    assert.ok(component);
    const isChosen = selectComponents(definition, request).includes(component);
    assert.equal(whyChosen(component, isChosen, request), expected);
  });
}

Deno.test("of a group the others are left out because of the one", () => {
  const definition = parseDefinition(new TextEncoder().encode(JSON.stringify({
    kind: "ZarfPackageConfig",
    metadata: { name: "shop" },
    components: [{ name: "a", group: "g" }, { name: "b", group: "g", default: true }],
  })));
  assert.deepEqual(
    definition.components.map((one) => whyChosen(one, one.name === "b")),
    ["another one of its group is chosen", "default"],
  );
});
