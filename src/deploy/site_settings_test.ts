import assert from "node:assert/strict";
import { DeployError } from "./errors.ts";
import {
  mergeSiteSettings,
  NO_SETTINGS,
  parseDeploySection,
  parseZarfConfig,
  readSettingsText,
} from "./site_settings.ts";

/** What `zarf dev generate-config` of Zarf 0.84 writes, and what its documentation shows. */
const GENERATED = `
dev:
    deploy:
        connected: true
init:
    agent:
        mutation_policy: all
    registry:
        push_username: zarf-push
log_format: console
log_level: info
package:
    create:
        set:
            zebra: stripes
    deploy:
        retries: 3
        timeout: 15m0s
    oci_concurrency: 6
    sign:
        oidc_client_id: sigstore
`;

function parse(text: string) {
  return parseZarfConfig(readSettingsText(text, "x.config.yaml"), "x.config.yaml");
}

function deploying(section: unknown) {
  return parseDeploySection(section, "agent.yaml", "packages.shop");
}

function refusal(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    assert.ok(error instanceof DeployError);
    assert.equal(error.reason, "SettingsInvalid");
    assert.equal(error.kept, "the cluster was not touched");
    return error.message;
  }
  assert.fail("it was taken");
}

Deno.test("a zarf-config file of the real zarf is taken", () => {
  const init = { "agent.mutation_policy": "all", "registry.push_username": "zarf-push" };
  assert.deepEqual(parse(GENERATED), { ...NO_SETTINGS, timeout: 900_000, init });
});

Deno.test("what the site decides is read under Zarf's names", () => {
  const text = `
Package:
  Deploy:
    components: lion,-leopard
    timeout: 1h
    values: [site.yaml, more.yml]
    set:
      domain: shop.example
      OCTAL: 0755
      version: 1.10
      tls: true
      nothing:
      text: |
        two
        lines
    set_values:
      replicaCount: 3
      .app.title: "'12'"
    skip_values_schema_validation: true
`;
  assert.deepEqual(parse(text), {
    components: "lion,-leopard",
    variables: {
      DOMAIN: "shop.example",
      OCTAL: "0755",
      VERSION: "1.10",
      TLS: "true",
      NOTHING: "",
      TEXT: "two\nlines\n",
    },
    valuesFiles: ["site.yaml", "more.yml"],
    setValues: { ".replicaCount": "3", ".app.title": "'12'" },
    timeout: 3_600_000,
    skipValuesSchema: true,
    init: {},
  });
});

Deno.test("each way of writing the same is read the same", () => {
  const expected = { ...NO_SETTINGS, components: "a,b", valuesFiles: ["x", "y"] };
  const rows: unknown[] = [
    { components: "a,b", values: "x, y" },
    { components: ["a", "b"], values: ["x", "y"] },
    { COMPONENTS: "a,b", Values: ["x", "y"] },
  ];
  for (const row of rows) assert.deepEqual(deploying(row), expected);
  assert.deepEqual(deploying({ "set-values": { a: 1 } }).setValues, { ".a": "1" });
  assert.equal(deploying({ timeout: 900_000_000_000 }).timeout, 900_000);
});

Deno.test("an empty file decides nothing", () => {
  for (const text of ["", "# nothing\n", "{}", "package:", "package: {deploy: }", "package: {}"]) {
    assert.deepEqual(parse(text), NO_SETTINGS, text);
  }
});

Deno.test("what is not done here is refused by name, unless it is off", () => {
  const rows: [text: string, message: RegExp | undefined][] = [
    ["package: {deploy: {connected: true}}", /package\.deploy\.connected is not done here/],
    ["package: {deploy: {connected: false}}", undefined],
    ["package: {deploy: {namespace: web}}", /package\.deploy\.namespace is not done/],
    ["package: {deploy: {namespace: ''}}", undefined],
    ["package: {deploy: {shasum: abc}}", /package\.deploy\.shasum is not done/],
    ["package: {deploy: {adopt-existing-resources: true}}", /adopt_existing_resources is not/],
    ["package: {deploy: {take_ownership: true}}", /take_ownership is not/],
    ["package: {public_key: cosign.pub}", /package\.public_key is not done.*--trust-key/],
    ["package: {verify: always}", /package\.verify is not done.*--trust-key/],
    ["package: {deploy: {components: a, componets: b}}", /no setting package\.deploy\.componets/],
    ["pakage: {}", /no setting pakage/],
    ["__proto__: {}", /no setting __proto__/],
    ["package: {deplay: {}}", /no setting package\.deplay/],
    ["tmp_dir: /x\ncache: /y\nfeatures: values=true", undefined],
  ];
  for (const [text, message] of rows) {
    if (message === undefined) assert.deepEqual(parse(text), NO_SETTINGS, text);
    else assert.match(refusal(() => parse(text)), message, text);
  }
});

Deno.test("settings that make no sense are refused, and their values are not shown", () => {
  const rows: [section: unknown, message: RegExp][] = [
    [{ set: "hunter2" }, /packages\.shop\.set must be keys with values$/],
    [{ set: { PASSWORD: ["hunter2"] } }, /packages\.shop\.set\.PASSWORD must be one value$/],
    [{ set_values: { a: { b: "hunter2" } } }, /set_values\.a must be one value$/],
    [{ values: { a: "hunter2" } }, /packages\.shop\.values must be a list$/],
    [{ timeout: "hunter2" }, /packages\.shop\.timeout must be a time such as 15m$/],
    [{ timeout: "25h" }, /timeout must be between 0 and 24h$/],
    [{ skip_values_schema_validation: "hunter2" }, /must be true or false$/],
    [["hunter2"], /packages\.shop is not a section with keys$/],
    ["hunter2", /packages\.shop is not a section with keys$/],
    [
      { set: Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`V${i}`, "hunter2"])) },
      /set has more than 1000 entries$/,
    ],
  ];
  for (const [section, message] of rows) {
    const said = refusal(() => deploying(section));
    assert.match(said, message);
    assert.doesNotMatch(said, /hunter2/);
  }
  const said = refusal(() => readSettingsText("password: [hunter2\n", "x.config.yaml"));
  assert.equal(said, "the settings in x.config.yaml cannot be used: it is not YAML");
});

Deno.test("what lies beside the package is laid over the agent's configuration", () => {
  const below = deploying({
    components: "a",
    set: { A: "1", B: "2" },
    values: ["x"],
    set_values: { p: "1" },
    timeout: "1m",
  });
  assert.deepEqual(mergeSiteSettings(below, NO_SETTINGS), below);
  assert.deepEqual(mergeSiteSettings(NO_SETTINGS, below), below);
  const above = deploying({ components: "-a", set: { b: "3" }, values: ["y"], timeout: "2m" });
  assert.deepEqual(mergeSiteSettings(below, above), {
    components: "-a",
    variables: { A: "1", B: "3" },
    valuesFiles: ["y"],
    setValues: { ".p": "1" },
    timeout: 120_000,
    skipValuesSchema: false,
    init: {},
  });
  const init = (text: string) => parse(`init: {${text}}`);
  const merged = mergeSiteSettings(init("a: {b: 1, c: 2}"), init("a: {b: 3}")).init;
  assert.deepEqual(merged, { "a.b": "3", "a.c": "2" });
});
