import assert from "node:assert/strict";
import { newState } from "../zarf/mod.ts";
import { Scope } from "./scope.ts";
import type { ResolvedVariable } from "./variables.ts";

function scopeOf(variables: Readonly<Record<string, ResolvedVariable>>): Scope {
  const state = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
  const constants = [
    { name: "word", value: "c", description: "", autoIndent: false, pattern: "" },
  ];
  return new Scope({ constants }, new Map(Object.entries(variables)), state);
}

Deno.test("what is set is seen by templates and environment from then on", () => {
  const given = new Map([["A", { value: "1", sensitive: false }]]);
  const scope = scopeOf(Object.fromEntries(given));
  scope.setVariable("b", { value: "2", sensitive: true, autoIndent: true });
  scope.setVariable("A", { value: "3", sensitive: false });
  assert.equal(scope.templates.get("###ZARF_VAR_A###")?.value, "3");
  assert.deepEqual(scope.templates.get("###ZARF_VAR_B###")?.autoIndent, true);
  assert.equal(given.get("A")?.value, "1", "what it was made from stays as it is");
  const { ZARF_VAR_A, ZARF_VAR_B, TF_VAR_a, TF_VAR_b } = scope.environment();
  assert.deepEqual({ ZARF_VAR_A, ZARF_VAR_B, TF_VAR_a, TF_VAR_b }, {
    ZARF_VAR_A: "3",
    ZARF_VAR_B: "2",
    TF_VAR_a: "3",
    TF_VAR_b: "2",
  });
});

Deno.test("what is set of the values lies over those that are there", () => {
  const given = [{ yaml: "a: 1" }];
  const state = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
  const scope = new Scope({ constants: [] }, new Map(), state, given);
  const set = { path: ".a", text: "2", type: "yaml" as const };
  scope.setValue(set);
  assert.deepEqual(scope.values, [{ yaml: "a: 1" }, { set }]);
  assert.equal(given.length, 1, "what it was made from stays as it is");
});

Deno.test("the environment has constants and what the cluster knows, in Zarf's two ways", () => {
  const environment = scopeOf({}).environment();
  assert.equal(environment["ZARF_CONST_WORD"], "c");
  assert.equal(environment["zarf_const_word"], "c");
  assert.equal(environment["ZARF_REGISTRY"], "127.0.0.1:31999");
  assert.equal(environment["zarf_registry"], "127.0.0.1:31999");
});

Deno.test("of a file the environment has the path and templates have the text", () => {
  const scope = scopeOf({ F: { value: "text", given: "/path", sensitive: false } });
  assert.equal(scope.environment()["ZARF_VAR_F"], "/path");
  assert.equal(scope.templates.get("###ZARF_VAR_F###")?.value, "text");
});

Deno.test("secret are sensitive variables and the cluster's passwords", () => {
  const scope = scopeOf({
    OPEN: { value: "open", sensitive: false },
    KEY: { value: "key", sensitive: true },
  });
  const secrets = scope.secrets();
  const environment = scope.environment();
  assert.ok(secrets.includes("key"));
  assert.ok(!secrets.includes("open"));
  for (const name of ["PUSH", "PULL"]) {
    assert.ok(secrets.includes(environment[`ZARF_REGISTRY_AUTH_${name}`] ?? "?"), name);
  }
});

Deno.test("a deployment's marker is there from its begin on, also after something is set", () => {
  const scope = scopeOf({});
  const marker = () => scope.templates.get("###ZARF_DATA_INJECTION_MARKER###")?.value;
  assert.deepEqual([scope.marker, marker()], [undefined, undefined]);
  scope.begin(1_700_000_000);
  scope.setVariable("a", { value: "1", sensitive: false });
  assert.equal(scope.marker, ".zarf-injection-1700000000");
  assert.equal(marker(), scope.marker);
  assert.equal(scope.environment()["ZARF_DATA_INJECTION_MARKER"], scope.marker);
});
