import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { DeployError, parseZarfConfig, readSettingsText } from "../deploy/mod.ts";
import { loadState, newState, OWN_GIT_ADDRESS, saveState, type ZarfState } from "../zarf/mod.ts";
import { applyInitKeys, forInit, INIT_KEYS, unusedInitKeys } from "./init_keys.ts";

const STATE = newState({ registryAddress: "127.0.0.1:31999", port: 31_999, ipFamily: "ipv4" });
const EXTERNAL = {
  ...{ address: "https://git.example", pushUsername: "site", pushPassword: "p" },
  ...{ pullUsername: "site", pullPassword: "p" },
};

/** What a config file of the real zarf says under `init`. */
function initOf(text: string) {
  return parseZarfConfig(readSettingsText(text, "x"), "x").init;
}

/** The state after an init package was begun with a config file. */
async function after(text: string, state: Partial<ZarfState> = {}): Promise<ZarfState> {
  await using api = new ApiObjects();
  api.put(namespace("zarf"));
  await saveState(api.client, { ...STATE, ...state });
  const init = initOf(text);
  forInit({ init });
  api.writes.length = 0;
  try {
    await applyInitKeys(api.client, init);
  } catch (error) {
    assert.deepEqual(api.writes, [], "nothing was changed");
    throw error;
  }
  return await loadState(api.client) ?? assert.fail("no state");
}

async function refusal(text: string, state?: Partial<ZarfState>): Promise<string> {
  const error = await after(text, state).then(() => undefined, (error) => error);
  assert.ok(error instanceof DeployError, String(error));
  assert.equal(error.reason, "SettingsInvalid");
  assert.ok(!`${error.message}`.includes("geheim"), error.message);
  return error.message;
}

Deno.test("every key that the real zarf has is in the table of the docs, as it is done", async () => {
  const viper = fileURLToPath(new URL("../../docs/init-packages.md", import.meta.url));
  const rows = [
    ...(await Deno.readTextFile(viper)).matchAll(/^\| `init\.(\S+)` +\| ([a-z ]+?) +\|/gm),
  ]
    .map(([, key = "", verdict = ""]) => [key, verdict]);
  const verdicts: Record<string, string> = { read: "done", same: "compared", unused: "not used" };
  const wanted = Object.entries(INIT_KEYS).map(([key, use]) => [key, verdicts[use] ?? "refused"]);
  assert.deepEqual(rows.toSorted(), wanted.toSorted());
});

/** One row for each key that is read: what it says, and what comes of it. */
const DONE: [key: string, yaml: string, is: (state: ZarfState) => unknown, wanted: unknown][] = [
  ["storage_class", "storage_class: fast", (state) => state.storageClass, "fast"],
  [
    "agent.mutation_policy",
    "agent: {mutation_policy: labeled}",
    (state) => state.agentMutationPolicy,
    "labeled",
  ],
  [
    "git.url",
    "git: {url: 'https://git.example', push_username: site, push_password: p}",
    (state) => state.gitServer,
    EXTERNAL,
  ],
  [
    "git.push_username",
    "git: {push_username: me}",
    ({ gitServer }) => [gitServer.address, gitServer.pushUsername],
    ["", "me"],
  ],
  ["git.push_password", "git: {push_password: x}", (state) => state.gitServer.pushPassword, "x"],
  [
    "git.pull_username",
    "git: {url: 'http://git', push_username: a, push_password: b, pull_username: c}",
    ({ gitServer }) => [gitServer.pullUsername, gitServer.pullPassword],
    ["c", "b"],
  ],
  [
    "git.pull_password",
    "git: {url: 'http://git', push_username: a, push_password: b, pull_password: d}",
    ({ gitServer }) => [gitServer.pullUsername, gitServer.pullPassword],
    ["a", "d"],
  ],
  ...(["url", "push_username", "push_token"] as const).map((key, at) =>
    [
      `artifact.${key}`,
      "artifact: {url: 'https://npm', push_username: u, push_token: t}",
      ({ artifactServer: { address, pushUsername, pushPassword } }: ZarfState) =>
        [address, pushUsername, pushPassword][at],
      ["https://npm", "u", "t"][at],
    ] as [string, string, (state: ZarfState) => unknown, unknown]
  ),
];
for (const [key, yaml, is, wanted] of DONE) {
  Deno.test(`init.${key} gets into the state`, async () => {
    assert.deepEqual(is(await after(`init: {${yaml}}`)), wanted);
  });
}

Deno.test("init.components chooses, unless package.deploy.components does", () => {
  const given = (components: string, init: string) =>
    forInit({ components, init: initOf(init) }).components;
  assert.equal(given("", "init: {components: 'git-server,-x'}"), "git-server,-x");
  assert.equal(given("", "init: {components: [git-server, other]}"), "git-server,other");
  assert.equal(given("k", "init: {components: git-server}"), "k");
  assert.equal(given("", ""), "");
});

Deno.test("a git server takes the place of the agents' own, and of nobody else's", async () => {
  const text = "init: {git: {url: 'https://git.example', push_username: site, push_password: p}}";
  const own = { ...EXTERNAL, address: OWN_GIT_ADDRESS, pushPassword: "geheim" };
  assert.deepEqual((await after(text, { gitServer: own })).gitServer, EXTERNAL);
  assert.deepEqual((await after(text, { gitServer: EXTERNAL })).gitServer, EXTERNAL);
  const other = { ...EXTERNAL, address: "https://geheim" };
  assert.match(await refusal(text, { gitServer: other }), /init\.git\.url says something else/);
});

Deno.test("users that the state has are not changed", async () => {
  const gitServer = { ...EXTERNAL, address: "", pushPassword: "geheim" };
  const text = "init: {git: {push_password: x}}";
  assert.match(await refusal(text, { gitServer }), /init\.git\.push_password says something else/);
});

Deno.test("an artifact server of the state stays", async () => {
  const artifactServer = { address: "https://a", pushUsername: "u", pushPassword: "t" };
  const same = "init: {artifact: {url: 'https://a', push_token: t}}";
  assert.deepEqual((await after(same, { artifactServer })).artifactServer, artifactServer);
  const other = "init: {artifact: {url: 'https://b'}}";
  assert.match(await refusal(other, { artifactServer }), /init\.artifact\.url says something else/);
});

const { registryInfo } = STATE;
const SAME: [key: string, value: string][] = [
  ["url", registryInfo.address],
  ["push_username", registryInfo.pushUsername],
  ["push_password", registryInfo.pushPassword],
  ["pull_username", registryInfo.pullUsername],
  ["pull_password", registryInfo.pullPassword],
  ["secret", registryInfo.secret],
  ["port", String(registryInfo.port)],
  ["nodeport", String(registryInfo.port)],
];
for (const [key, value] of SAME) {
  Deno.test(`init.registry.${key} may say what is so, and nothing else`, async () => {
    const text = (given: string) => JSON.stringify({ init: { registry: { [key]: given } } });
    assert.deepEqual(await after(text(value)), STATE);
    assert.deepEqual(await after(text("")), STATE);
    const said = await refusal(text("12345-geheim"));
    assert.equal(said, `init.registry.${key} says something else than Zarf's state in the cluster`);
  });
}

Deno.test("init.registry.injector_… are not used, which is said", async () => {
  const text = "init: {registry: {injector_port: 31000, injector_image: x}}";
  assert.deepEqual(await after(text), STATE);
  assert.deepEqual(unusedInitKeys(initOf(text)), [
    "init.registry.injector_image",
    "init.registry.injector_port",
  ]);
  assert.deepEqual(unusedInitKeys(initOf("init: {registry: {injector_port: 0}}")), []);
});

for (const key of ["tls_ca", "tls_cert", "tls_key"]) {
  Deno.test(`init.agent.${key} is refused by name`, async () => {
    const said = await refusal(`init: {agent: {${key}: /geheim.pem}}`);
    assert.match(said, new RegExp(`init\\.agent\\.${key} is not done here: the webhook's`));
    assert.deepEqual(await after(`init: {agent: {${key}: ""}}`), STATE);
  });
}

Deno.test("what there is not is refused by name, in any case and with either sign", async () => {
  assert.match(
    await refusal("init: {registry: {urll: geheim}}"),
    /no setting init\.registry\.urll$/,
  );
  assert.match(await refusal("init: {Storage-Klass: geheim}"), /no setting init\.storage_klass$/);

  assert.match(
    await refusal("init: {agent: {mutation_policy: geheim}}"),
    /init\.agent\.mutation_policy must be all or labeled/,
  );
  assert.equal((await after("INIT: {Storage-Class: fast}")).storageClass, "fast");
});

Deno.test("without such keys the state is not even read", async () => {
  await using api = new ApiObjects();
  api.intercept = () => assert.fail("asked");
  await applyInitKeys(api.client, {});
});
