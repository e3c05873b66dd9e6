import assert from "node:assert/strict";
import { ZarfError } from "./errors.ts";
import { hasGitServer, isInternalRegistry, newState, parseState, serializeState } from "./state.ts";

const FIXTURES = new URL("../../test/fixtures/zarf-cluster/nodeport/", import.meta.url);
const real = Deno.readTextFileSync(new URL("zarf-state.decoded.json", FIXTURES));

/** Every path of keys in a JSON value, so that two documents can be compared by shape. */
function keyPaths(value: unknown, prefix = ""): string[] {
  if (typeof value !== "object" || value === null) return [prefix];
  return Object.entries(value).flatMap(([key, inner]) => keyPaths(inner, `${prefix}.${key}`))
    .sort();
}

Deno.test("a state that the real Zarf wrote comes through unchanged", () => {
  assert.deepEqual(JSON.parse(serializeState(parseState(real))), JSON.parse(real));
});

Deno.test("a new state has exactly the keys of the real Zarf's", () => {
  const state = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
  assert.deepEqual(keyPaths(JSON.parse(serializeState(state))), keyPaths(JSON.parse(real)));
});

Deno.test("a new state differs from the real one only where two clusters differ", () => {
  const state = JSON.parse(serializeState(
    newState({
      registryAddress: "127.0.0.1:31999",
      port: 31999,
      ipFamily: "ipv4",
      storageClass: "lab-host",
    }),
  ));
  const expected = JSON.parse(real);
  for (const key of ["pushPassword", "pullPassword", "secret"]) {
    assert.equal(state.registryInfo[key].length, expected.registryInfo[key].length, key);
    state.registryInfo[key] = expected.registryInfo[key];
  }
  expected.agentTLS = { ca: null, cert: null, key: null };
  expected.injectorInfo.injectorImage = "";
  expected.injectorInfo.port = 0;
  assert.deepEqual(state, expected);
});

Deno.test("keys of a newer Zarf are kept", () => {
  const newer = JSON.parse(real);
  newer.future = { a: [1] };
  newer.registryInfo.future = "kept";
  assert.deepEqual(JSON.parse(serializeState(parseState(JSON.stringify(newer)))), newer);
});

Deno.test("states of older Zarf are read as Zarf reads them", () => {
  const rows: [string, Record<string, unknown>, { port: number; internal: boolean }][] = [
    ["only nodePort", { address: "127.0.0.1:31999", nodePort: 31999 }, {
      port: 31999,
      internal: true,
    }],
    ["IPv6 loopback", { address: "[::1]:31999", port: 31999 }, { port: 31999, internal: true }],
    ["another host", { address: "registry.example:443", port: 443 }, {
      port: 443,
      internal: false,
    }],
    ["another port", { address: "127.0.0.1:5000", port: 31999 }, { port: 31999, internal: false }],
    ["a mode that says external", {
      address: "127.0.0.1:31999",
      port: 31999,
      registryMode: "external",
    }, { port: 31999, internal: false }],
    ["proxy mode", { address: "127.0.0.1:5000", port: 5000, registryMode: "proxy" }, {
      port: 5000,
      internal: true,
    }],
  ];
  for (const [name, registryInfo, expected] of rows) {
    const state = parseState(JSON.stringify({ registryInfo }));
    assert.equal(state.registryInfo.port, expected.port, name);
    assert.equal(isInternalRegistry(state), expected.internal, name);
    assert.equal(JSON.parse(serializeState(state)).registryInfo.nodePort, expected.port, name);
    assert.equal(hasGitServer(state), false, name);
  }
});

Deno.test("a broken state is refused with the field's name and without its content", () => {
  const rows: [string, string][] = [
    ["{", "outermost"],
    ["[]", "registryInfo"],
    ['{"registryInfo":{"pushPassword":["geheim"]}}', "registryInfo.pushPassword"],
    ['{"registryInfo":{"port":-1,"pushPassword":"geheim"}}', "registryInfo.port"],
    ["{}", "registryInfo"],
    ['{"pushPassword": geheim', "outermost"],
  ];
  for (const [json, field] of rows) {
    assert.throws(() => parseState(json), (error) => {
      assert.ok(error instanceof ZarfError);
      assert.equal(error.reason, "StateInvalid");
      assert.match(error.message, new RegExp(field), json);
      assert.doesNotMatch(error.message, /geheim/);
      return true;
    });
  }
});
