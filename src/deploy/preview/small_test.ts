import assert from "node:assert/strict";
import { newState } from "../../zarf/mod.ts";
import { parseDefinition } from "../../package/mod.ts";
import { Scope } from "../scope.ts";
import { canonicalJson, sameJson, valueAt } from "./json.ts";
import { inCommon, MADE_ANEW } from "./made_anew.ts";
import { podImages } from "./pod_images.ts";
import { Unknown } from "./unknown.ts";

Deno.test("the same value has the same text, whatever the order of its keys", () => {
  const one = { b: [1, { d: null, c: undefined }], a: "x" };
  const other = { a: "x", b: [1, { d: null }] };
  assert.equal(canonicalJson(one), '{"a":"x","b":[1,{"d":null}]}');
  assert.equal(canonicalJson(one), canonicalJson(other));
  assert.ok(sameJson(one, other));
  assert.ok(!sameJson({ a: [1, 2] }, { a: [2, 1] }), "a list has an order");
  assert.ok(!sameJson({ a: null }, {}), "nothing is not absent");
  assert.equal(canonicalJson(undefined), "null");
});

Deno.test("a value is found at its path, and nothing where there is none", () => {
  assert.equal(valueAt({ a: { b: 1 } }, "a", "b"), 1);
  assert.equal(valueAt({ a: [1] }, "a", "0"), undefined);
  assert.equal(valueAt("text", "length"), undefined);
});

const COMMON = [
  { name: "the same", one: { a: [1] }, other: { a: [1] }, expected: { a: [1] } },
  {
    name: "a password",
    one: { p: "x", q: 1 },
    other: { p: "y", q: 1 },
    expected: { p: MADE_ANEW, q: 1 },
  },
  {
    name: "one in a list",
    one: { l: [{ n: "a", v: 1 }, 2] },
    other: { l: [{ n: "a", v: 3 }, 2] },
    expected: { l: [{ n: "a", v: MADE_ANEW }, 2] },
  },
  {
    name: "lists of two lengths",
    one: { l: [1] },
    other: { l: [1, 2] },
    expected: { l: MADE_ANEW },
  },
  {
    name: "a key of one only",
    one: { a: 1 },
    other: { b: 1 },
    expected: { a: MADE_ANEW, b: MADE_ANEW },
  },
];

for (const { name, one, other, expected } of COMMON) {
  Deno.test(`two renderings have in common: ${name}`, () => {
    assert.deepEqual(inCommon(one, other), expected);
    assert.ok(sameJson(inCommon(other, one), expected), "whichever is the first");
  });
}

const container = (image: string) => ({ containers: [{ name: "c", image }] });
const PODS = [
  { kind: "Pod", object: { spec: container("a") }, expected: ["a"] },
  { kind: "Deployment", object: { spec: { template: { spec: container("a") } } }, expected: ["a"] },
  {
    kind: "CronJob",
    object: { spec: { jobTemplate: { spec: { template: { spec: container("a") } } } } },
    expected: ["a"],
  },
  { kind: "PodTemplate", object: { template: { spec: container("a") } }, expected: ["a"] },
  {
    kind: "Pod with everything",
    object: {
      spec: {
        initContainers: [{ image: "init" }],
        containers: [{ image: "a" }, { image: "a" }, { image: "" }, {}],
        ephemeralContainers: [{ image: "debug" }],
        volumes: [{ name: "v", image: { reference: "volume" } }, { name: "w", emptyDir: {} }],
      },
    },
    expected: ["init", "a", "debug", "volume"],
  },
  { kind: "ConfigMap", object: { data: { image: "a" } }, expected: [] },
  { kind: "kind with an image of its own", object: { spec: { image: "a" } }, expected: [] },
];

for (const { kind, object, expected } of PODS) {
  Deno.test(`the images of a ${kind} are found`, () => {
    assert.deepEqual(podImages(object), expected);
  });
}

Deno.test("what actions set is told from what is known", () => {
  const definition = parseDefinition(new TextEncoder().encode(JSON.stringify({
    kind: "ZarfPackageConfig",
    metadata: { name: "x" },
    components: [{
      name: "a",
      actions: {
        onDeploy: {
          before: [{
            cmd: "x",
            setVariables: [{ name: "late" }],
            setValues: [{ key: ".db.host" }],
          }],
          after: [{ wait: { network: { protocol: "tcp", address: "x:1" } } }],
        },
      },
    }],
  })));
  const [component] = definition.components;
  assert.ok(component);
  const state = newState({ registryAddress: "127.0.0.1:1", port: 1, ipFamily: "ipv4" });
  const late = { value: "early", sensitive: false };
  const scope = new Scope(definition, new Map([["LATE", late], ["OTHER", late]]), state, []);
  const unknown = new Unknown();
  unknown.pass("after", component, scope);
  assert.deepEqual([unknown.all, unknown.afterCommands], [[], false], "a wait changes nothing");
  unknown.pass("before", component, scope);
  assert.deepEqual([unknown.all, unknown.afterCommands], [[".db.host", "LATE"], true]);
  const made = scope.templates.get("###ZARF_VAR_LATE###")?.value ?? "";
  const set = scope.values.map((layer) => "set" in layer ? layer.set.text : "").join();
  assert.deepEqual(unknown.in(`a: ${made}\nb: ${made}\nc: ${set}`), [".db.host", "LATE"]);
  assert.deepEqual(unknown.in("a: ###ZARF_VAR_OTHER### early"), []);
});
