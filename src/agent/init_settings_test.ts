import assert from "node:assert/strict";
import { DeployError, resolveVariables } from "../deploy/mod.ts";
import { parseDefinition } from "../package/mod.ts";
import { registryWishesOf, unusedVariables } from "./init_settings.ts";

/** The variables of an init package with a site's values. */
function variables(
  given: Readonly<Record<string, string>>,
  declared: readonly Readonly<Record<string, unknown>>[] = [],
) {
  const text = JSON.stringify({
    kind: "ZarfInitConfig",
    metadata: { name: "init" },
    components: [{ name: "zarf-registry", required: true }],
    variables: declared,
  });
  const definition = parseDefinition(new TextEncoder().encode(text));
  return resolveVariables(definition, { given, readTextFile: () => "a certificate" });
}

Deno.test("what the registry's pod can be given is taken from the variables", () => {
  const wishes = registryWishesOf(variables({
    REGISTRY_CPU_REQ: "100m",
    REGISTRY_MEM_REQ: "256Mi",
    REGISTRY_CPU_LIMIT: "3",
    REGISTRY_MEM_LIMIT: "2Gi",
    REGISTRY_OTEL_EXPORTER: "otlp",
    REGISTRY_EXTRA_ENVS:
      "- name: A\n  value: b\n- name: C\n  valueFrom: {fieldRef: {fieldPath: d}}\n",
    REGISTRY_TOLERATIONS: "- key: edge\n  operator: Exists\n",
  }));
  assert.deepEqual(wishes, {
    requests: { cpu: "100m", memory: "256Mi" },
    limits: { cpu: "3", memory: "2Gi" },
    tracesExporter: "otlp",
    env: [
      { name: "A", value: "b" },
      { name: "C", valueFrom: { fieldRef: { fieldPath: "d" } } },
    ],
    tolerations: [{ key: "edge", operator: "Exists" }],
  });
});

Deno.test("of a package that says nothing nothing is wished", () => {
  const nothing = { requests: {}, limits: {}, env: [], tolerations: [] };
  assert.deepEqual(registryWishesOf(variables({})), nothing);
  const empty = { REGISTRY_CPU_LIMIT: "", REGISTRY_EXTRA_ENVS: "\n", REGISTRY_OTEL_EXPORTER: "" };
  assert.deepEqual(registryWishesOf(variables(empty)), nothing);
});

for (
  const [name, value] of [
    ["REGISTRY_CPU_REQ", "much secret"],
    ["REGISTRY_MEM_LIMIT", "2GB secret"],
    ["REGISTRY_MEM_LIMIT", "-1"],
    ["REGISTRY_EXTRA_ENVS", "secret"],
    ["REGISTRY_EXTRA_ENVS", "[{value: secret}]"],
    ["REGISTRY_EXTRA_ENVS", "- name: 'secret"],
    ["REGISTRY_TOLERATIONS", "[secret]"],
    ["REGISTRY_TOLERATIONS", "{key: secret}"],
  ] as const
) {
  Deno.test(`${name} cannot be ${JSON.stringify(value)}, and the message does not repeat it`, () => {
    assert.throws(
      () => registryWishesOf(variables({ [name]: value })),
      (error) =>
        error instanceof DeployError && error.reason === "VariableInvalid" &&
        error.message.includes(name) && !error.message.includes("secret"),
    );
  });
}

const UNUSED: readonly [
  what: string,
  given: Readonly<Record<string, string>>,
  declared: readonly Readonly<Record<string, unknown>>[],
  expected: readonly string[],
][] = [
  ["a site sets nothing", {}, [{ name: "REGISTRY_PVC_SIZE", default: "20Gi" }], []],
  [
    "it sets what Zarf has by itself",
    { REGISTRY_HPA_MAX: "5" },
    [{ name: "REGISTRY_HPA_MAX", default: "7" }],
    [],
  ],
  ["it sets a size of the volume", { registry_pvc_size: "50Gi" }, [], ["REGISTRY_PVC_SIZE"]],
  [
    "the package has another default than Zarf's",
    {},
    [{ name: "REGISTRY_HPA_ENABLE", default: "false" }],
    ["REGISTRY_HPA_ENABLE"],
  ],
  ["it sets what is used", { REGISTRY_CPU_REQ: "1", REGISTRY_TOLERATIONS: "[]" }, [], []],
  ["it sets what others use", { GIT_SERVER_PVC_SIZE: "1Gi", DOMAIN: "x", REGISTRYX: "y" }, [], []],
  [
    "it sets something of the agent and the proxy",
    { PROXY_TOLERATIONS: "[]", AGENT_MUTATION_EXCLUSIONS: "[flux]", HOST_NETWORK_PROXY: "true" },
    [],
    ["AGENT_MUTATION_EXCLUSIONS", "HOST_NETWORK_PROXY", "PROXY_TOLERATIONS"],
  ],
  [
    "a newer Zarf has another variable",
    { REGISTRY_NEW: "x" },
    [{ name: "REGISTRY_OTHER", default: "" }],
    ["REGISTRY_NEW"],
  ],
  [
    "a file is named",
    { REGISTRY_CA_BUNDLE: "/etc/ca.pem" },
    [{ name: "REGISTRY_CA_BUNDLE", type: "file" }],
    ["REGISTRY_CA_BUNDLE"],
  ],
];

for (const [what, given, declared, expected] of UNUSED) {
  Deno.test(`when ${what}, not used is: ${expected.join(", ") || "nothing"}`, () => {
    assert.deepEqual(unusedVariables(variables(given, declared)), expected);
  });
}
