import assert from "node:assert/strict";
import { ApiObjects } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import type { KubeObject } from "../kube/mod.ts";
import { webhookConfiguration } from "./configuration.ts";
import {
  hasWebhooks,
  isAsWanted,
  loadStanding,
  putWebhooks,
  removeWebhooks,
  standingOf,
  withdrawWebhooks,
} from "./standing.ts";

const WANTED = webhookConfiguration({
  address: "127.0.0.1:7471",
  caBundle: "ca",
  policy: "all",
});
type Configuration = KubeObject & { webhooks: { name: string; timeoutSeconds?: number }[] };

const THEIRS = { name: "web.example.com", timeoutSeconds: 30 };

function configuration(name: string, ...webhooks: object[]): KubeObject {
  return { apiVersion: WANTED.apiVersion, kind: WANTED.kind, metadata: { name }, webhooks };
}

function stored(api: ApiObjects): Configuration {
  return api.find("mutatingwebhookconfigurations", "holdfast") as Configuration;
}

function names(api: ApiObjects): string[] {
  return stored(api).webhooks.map(({ name }) => name);
}

Deno.test("the configuration is written once, and again only when somebody changed it", async () => {
  await using api = new ApiObjects();
  assert.equal(await putWebhooks(api.client, WANTED), true);
  assert.equal(names(api).length, 8);
  assert.equal(await putWebhooks(api.client, WANTED), false);
  const changes: ((webhooks: Configuration["webhooks"]) => Configuration["webhooks"])[] = [
    (all) => all.slice(1),
    (all) => all.map((one) => ({ ...one, timeoutSeconds: 30 })),
    (all) =>
      all.map((one) => ({
        matchConditions: [{ name: "x", expression: "false" }],
        ...one,
      })),
    (all) => all.map(({ matchConditions: _, ...one }: Record<string, unknown>) => one as never),
    (all) => [...all, { name: "old.holdfast.dev" }],
    () => [],
  ];
  for (const change of changes) {
    api.put({ ...stored(api), webhooks: change(stored(api).webhooks) });
    assert.equal(await putWebhooks(api.client, WANTED), true);
    assert.deepEqual(stored(api).webhooks, WANTED.webhooks);
    assert.equal(await putWebhooks(api.client, WANTED), false);
  }
  assert.equal(api.writes.length, 1 + changes.length);
});

Deno.test("what others put beside stays theirs, also when Holdfast's webhooks go", async () => {
  await using api = new ApiObjects();
  await putWebhooks(api.client, WANTED);
  const { metadata, webhooks } = stored(api);
  api.put({
    ...stored(api),
    metadata: {
      ...metadata,
      labels: { ...metadata.labels, team: "a" },
      annotations: { note: "b" },
    },
    webhooks: [THEIRS, ...webhooks],
  });
  assert.equal(await putWebhooks(api.client, WANTED), false, "it is as wanted");
  const other = webhookConfiguration({ address: "127.0.0.1:1", caBundle: "ca", policy: "labeled" });
  assert.equal(await putWebhooks(api.client, other), true);
  assert.deepEqual(names(api).at(-1), THEIRS.name);
  assert.equal(names(api).length, 17);
  assert.equal(stored(api).metadata.labels?.team, "a");
  assert.equal(stored(api).metadata.annotations?.note, "b");
  assert.equal(await removeWebhooks(api.client), true);
  assert.deepEqual(stored(api).webhooks, [THEIRS]);
  assert.equal(await removeWebhooks(api.client), false);
  assert.deepEqual(stored(api).webhooks, [THEIRS]);
});

Deno.test("fields that a newer API server fills in are no difference", () => {
  const webhooks = (WANTED.webhooks as object[]).map((one) => ({ ...one, newerField: "x" }));
  assert.equal(isAsWanted({ ...WANTED, webhooks }, WANTED), true);
  assert.equal(isAsWanted(undefined, WANTED), false);
});

Deno.test("without Holdfast's webhooks there is nothing to remove", async () => {
  await using api = new ApiObjects();
  assert.equal(await removeWebhooks(api.client), false);
  await putWebhooks(api.client, WANTED);
  assert.equal(await removeWebhooks(api.client), true);
  assert.equal(stored(api), undefined);
});

Deno.test("webhooks that are taken out say by whom and why, until they are put in", async () => {
  await using api = new ApiObjects();
  const withdrawal = { by: "node1", why: "another program listens there" };
  assert.equal(await withdrawWebhooks(api.client, withdrawal), false);
  await putWebhooks(api.client, WANTED);
  assert.equal(hasWebhooks(stored(api)), true);
  assert.equal((await loadStanding(api.client)).withdrawn, undefined);
  assert.equal(await withdrawWebhooks(api.client, withdrawal), true);
  const standing = await loadStanding(api.client);
  assert.deepEqual(standing.withdrawn, withdrawal);
  assert.equal(hasWebhooks(standing.ours), false);
  assert.equal(isAsWanted(standing.ours, WANTED), false);
  assert.equal(await withdrawWebhooks(api.client, { by: "node2", why: "late" }), false);
  assert.equal(await putWebhooks(api.client, WANTED), true);
  assert.equal((await loadStanding(api.client)).withdrawn, undefined);
  assert.equal(isAsWanted(stored(api), WANTED), true);
});

Deno.test("Zarf's agent is known by its webhooks, whatever their configuration is called", () => {
  const zarf = configuration("zarf", { name: "agent-pod.zarf.dev" });
  const cases: [string | undefined, KubeObject[]][] = [
    [undefined, []],
    [undefined, [WANTED, configuration("zarf")]],
    [undefined, [configuration("zarf", { name: "agent.zarf.dev.example.com" })]],
    ["zarf", [WANTED, zarf]],
    ["other", [configuration("other", THEIRS, { name: "agent-flux-gitrepo.zarf.dev" })]],
  ];
  for (const [name, all] of cases) assert.equal(standingOf(all).zarf, name);
  assert.equal(standingOf([zarf, WANTED]).ours, WANTED);
});

Deno.test("what another agent does at the same time is looked at again", async () => {
  await using api = new ApiObjects();
  let overtaken = 0;
  api.intercept = ({ method }) => {
    if (method !== "POST" || overtaken++ > 0) return undefined;
    api.put(WANTED);
    return status(409, "AlreadyExists", "another was first");
  };
  assert.equal(await putWebhooks(api.client, WANTED), false, "the other wrote the same");
  api.put(configuration("holdfast", THEIRS));
  let changes = 0;
  api.intercept = ({ method }) => {
    if (method !== "PUT" || changes++ > 0) return undefined;
    api.put(configuration("holdfast", THEIRS, { name: "more.example.com" }));
    return undefined;
  };
  assert.equal(await putWebhooks(api.client, WANTED), true);
  assert.deepEqual(names(api).slice(-2), [THEIRS.name, "more.example.com"]);
  api.intercept = ({ method }) =>
    method === "DELETE" ? status(409, "Conflict", "again") : undefined;
  api.put(WANTED);
  await assert.rejects(removeWebhooks(api.client), { reason: "Conflict" });
});
