import assert from "node:assert/strict";
import type { ZarfVariable } from "../package/mod.ts";
import { newState, parseState } from "../zarf/mod.ts";
import { DeployError } from "./errors.ts";
import { resolveVariables, templatesFor } from "./variables.ts";

function variable(parts: Partial<ZarfVariable> & { name: string }): ZarfVariable {
  return {
    description: "",
    default: "",
    prompt: false,
    sensitive: false,
    autoIndent: false,
    pattern: "",
    type: "raw",
    ...parts,
  };
}

const noFiles = () => undefined;

function valueOf(parts: Partial<ZarfVariable> & { name: string }, given = {}): string | undefined {
  return resolveVariables({ variables: [variable(parts)] }, { given, readTextFile: noFiles })
    .get(parts.name.toUpperCase())?.value;
}

Deno.test("a variable has the site's value, else its default", () => {
  assert.equal(valueOf({ name: "A", default: "d" }), "d");
  assert.equal(valueOf({ name: "A", default: "d" }, { a: "given" }), "given");
  assert.equal(valueOf({ name: "a", default: "d", prompt: true }), "d");
  assert.equal(valueOf({ name: "A" }), "");
});

Deno.test("a value that the package does not declare counts too", () => {
  const resolved = resolveVariables({ variables: [] }, {
    given: { extra: "x" },
    readTextFile: noFiles,
  });
  assert.equal(resolved.get("EXTRA")?.value, "x");
});

Deno.test("a variable that somebody must set is named, with what it is for", () => {
  assert.throws(
    () => valueOf({ name: "DOMAIN", prompt: true, description: "Where users find it" }),
    (error) => {
      assert.ok(error instanceof DeployError);
      assert.equal(error.reason, "VariableMissing");
      assert.match(error.message, /DOMAIN.*Where users find it/);
      assert.equal(error.disposition, "wait");
      return true;
    },
  );
});

Deno.test("patterns of Go are applied as Go applies them", () => {
  const rows: [pattern: string, value: string, matches: boolean][] = [
    ["^[0-9]+$", "12", true],
    ["^[0-9]+$", "1a", false],
    ["b", "abc", true],
    ["(?i)^YES$", "yes", true],
    ["^YES$", "yes", false],
    ["\\Aab\\z", "ab", true],
    ["\\Aab\\z", "ab\n", false],
    ["(?s)^a.b$", "a\nb", true],
    ["^a.b$", "a\nb", false],
    ["(?m)^b$", "a\nb", true],
    ["(?m)\\Ab\\z", "a\nb", false],
    ["(?m)\\Aa$", "a\nb", true],
    ["^[[:digit:]]+$", "12", true],
    ["^[[:digit:]]+$", "1]", false],
    ["^[[:alpha:]_][[:word:]-]*$", "a-b_9", true],
    ["^[[:alpha:]_][[:word:]-]*$", "9a", false],
    ["^[[:punct:]]+$", "!/:@[`{~-", true],
    ["^[[:punct:]]+$", "a", false],
    ["^[[:space:][:upper:]]+$", "A B\n", true],
    ["^[a-z0-9\\-\\.]+$", "a-1.b", true],
    ["^\\Qa.b(c\\E+$", "a.b(cc", true],
    ["^\\Qa.b\\E$", "axb", false],
    ["\\Q1+1", "1+1", true],
    ["^\\d{4}-\\d\\d$", "2026-01", true],
    ["^\\\\Qx$", "\\Qx", true],
  ];
  for (const [pattern, value, matches] of rows) {
    const attempt = () => valueOf({ name: "A", pattern, default: value });
    if (matches) assert.equal(attempt(), value, pattern);
    else assert.throws(attempt, DeployError, pattern);
  }
});

Deno.test("a pattern that would mean something else here is not used", () => {
  const patterns = [
    "^\\p{Greek}+$",
    "^\\pL$",
    "\\PN",
    "^\\x{1F600}$",
    "(?P<year>\\d+)",
    "[[:^alpha:]]",
    "(?U)a+",
    "(",
  ];
  for (const pattern of patterns) {
    assert.throws(() => valueOf({ name: "A", pattern, default: "geheim" }), (error) => {
      assert.ok(error instanceof DeployError, pattern);
      assert.equal(error.reason, "VariableInvalid");
      assert.match(error.message, /the pattern .* of variable A cannot be used/, pattern);
      assert.doesNotMatch(error.message, /geheim/);
      assert.match(error.remedy ?? "", /build the package again/);
      return true;
    });
  }
});

Deno.test("a wrong value is never shown", () => {
  assert.throws(
    () => valueOf({ name: "TOKEN", pattern: "^[0-9]+$", sensitive: true }, { TOKEN: "geheim" }),
    (error) => {
      assert.ok(error instanceof DeployError);
      assert.equal(error.reason, "VariableInvalid");
      assert.match(error.message, /TOKEN/);
      assert.doesNotMatch(error.message, /geheim/);
      return true;
    },
  );
});

Deno.test("a variable of type file is its file's content, or nothing", () => {
  const files: Record<string, string> = { "/etc/ca.pem": "certificate" };
  const rows = [["/etc/ca.pem", "certificate"], ["/missing", ""], ["", ""]] as const;
  for (const [path, content] of rows) {
    const resolved = resolveVariables({
      variables: [variable({ name: "CA", type: "file", default: path })],
    }, { given: {}, readTextFile: (name) => files[name] });
    assert.equal(resolved.get("CA")?.value, content);
  }
});

Deno.test("a component knows variables, constants and the built-in keys", () => {
  const state = newState({
    registryAddress: "127.0.0.1:31999",
    port: 31999,
    ipFamily: "ipv6",
    storageClass: "fast",
  });
  const variables = resolveVariables({
    variables: [variable({ name: "a", default: "1", autoIndent: true })],
  }, { given: {}, readTextFile: noFiles });
  const templates = templatesFor(
    {
      constants: [{ name: "b", value: "2", description: "", autoIndent: false, pattern: "" }],
    },
    variables,
    state,
  );
  assert.equal(templates.get("###ZARF_VAR_A###")?.value, "1");
  assert.equal(templates.get("###ZARF_VAR_A###")?.autoIndent, true);
  assert.equal(templates.get("###ZARF_CONST_B###")?.value, "2");
  assert.equal(templates.get("###ZARF_REGISTRY###")?.value, "127.0.0.1:31999");
  assert.equal(templates.get("###ZARF_NODEPORT###")?.value, "31999");
  assert.equal(templates.get("###ZARF_STORAGE_CLASS###")?.value, "fast");
  assert.equal(templates.get("###ZARF_IPV6_ONLY###")?.value, "true");
  assert.equal(templates.get("###ZARF_REGISTRY_PROXY###")?.value, "false");
  const secret = templates.get("###ZARF_REGISTRY_AUTH_PULL###")?.value;
  assert.equal(secret, state.registryInfo.pullPassword);
});

Deno.test("every built-in key has the value that Zarf gives it", () => {
  const fixtures = new URL("../../test/fixtures/zarf-cluster/nodeport/", import.meta.url);
  const state = parseState(Deno.readTextFileSync(new URL("zarf-state.decoded.json", fixtures)));
  const git = { pushUsername: "gu", pushPassword: "gp", pullUsername: "ru", pullPassword: "rp" };
  const injector = {
    injectorImage: "image:1",
    port: 30_001,
    payLoadConfigMapAmount: 7,
    payLoadShaSum: "abc",
  };
  Object.assign(state.gitServer, git);
  Object.assign(state.injectorInfo, injector);
  Object.assign(state.registryInfo, { mtlsStrategy: "zarf-managed", registryMode: "proxy" });
  const templates = templatesFor({ constants: [] }, new Map(), state);
  const { address, port, pushPassword, pullPassword } = state.registryInfo;
  const expected: Record<string, string> = {
    STORAGE_CLASS: state.storageClass,
    IPV6_ONLY: "false",
    REGISTRY_MTLS_ENABLED: "true",
    REGISTRY_PROXY: "true",
    INJECTOR_IMAGE: "image:1",
    INJECTOR_HOSTPORT: "30001",
    INJECTOR_PAYLOAD_CONFIGMAPS: "7",
    INJECTOR_SHASUM: "abc",
    REGISTRY: address,
    NODEPORT: String(port),
    REGISTRY_PORT: String(port),
    REGISTRY_AUTH_PUSH: pushPassword,
    REGISTRY_AUTH_PULL: pullPassword,
    GIT_PUSH: "gu",
    GIT_AUTH_PUSH: "gp",
    GIT_PULL: "ru",
    GIT_AUTH_PULL: "rp",
  };
  assert.deepEqual(
    Object.fromEntries([...templates].map(([key, { value }]) => [key, value])),
    Object.fromEntries(
      Object.entries(expected).map(([key, value]) => [`###ZARF_${key}###`, value]),
    ),
  );
});
