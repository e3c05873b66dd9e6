import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { type InstalledChart, loadPackage } from "../zarf/mod.ts";
import { HeldRecord } from "./held_record.ts";
import { DeployJournal, type JournalLine } from "./journal.ts";
import { DeploymentRecord } from "./record.ts";

const SHOP = {
  name: "shop",
  digest: "sha256:1",
  raw: { metadata: { name: "shop" } },
  // What is deployed has one generation then: how they are counted is not what this is about.
  components: [],
};
const WEB: InstalledChart = { namespace: "shop", chartName: "web", status: "Succeeded" };

/** A cluster with a record of components that succeeded, each with the chart `web`. */
async function recorded(names: readonly string[], charts = [WEB]): Promise<ApiObjects> {
  const api = new ApiObjects();
  api.put(namespace("zarf"));
  const record = await DeploymentRecord.begin(api.client, SHOP);
  for (const name of names) await record.component(name, "Succeeded", charts);
  api.writes.length = 0;
  return api;
}

async function held(api: ApiObjects, pkg = SHOP, lines: JournalLine[] = []) {
  const book = { append: (line: JournalLine) => void lines.push(line), lines: () => lines };
  const journal = new DeployJournal(book);
  return new HeldRecord(await DeploymentRecord.begin(api.client, pkg), journal);
}

/** Generation of the record, and status and generation of each component. */
async function state(api: ApiObjects): Promise<string> {
  const found = await loadPackage(api.client, "shop");
  const components = (found?.deployedComponents ?? []).map(
    ({ name, status, observedGeneration }) => `${name} ${status} ${observedGeneration}`,
  );
  return [found?.generation, ...components].join(", ");
}

Deno.test("a deployment that comes to what is recorded writes nothing", async () => {
  await using api = await recorded(["a", "b"]);
  const record = await held(api);
  for (const name of ["a", "b"]) {
    await record.component(name, "Deploying", []);
    await record.component(name, "Succeeded", [WEB]);
  }
  await record.finish(["a", "b"]);
  assert.deepEqual(api.writes, []);
  assert.equal(record.latest, 1);
});

Deno.test("from the first change on everything is written, what was held included", async () => {
  await using api = await recorded(["a", "b"]);
  const lines: JournalLine[] = [];
  const record = await held(api, SHOP, lines);
  await record.component("a", "Succeeded", [WEB]);
  await record.component("b", "Deploying", []);
  assert.equal(await state(api), "1, a Succeeded 1, b Succeeded 1");
  await record.release();
  assert.equal(await state(api), "2, a Succeeded 2, b Deploying 2");
  await record.component("b", "Succeeded", [WEB]);
  await record.finish(["a", "b"]);
  assert.equal(await state(api), "2, a Succeeded 2, b Succeeded 2");
  assert.equal(record.latest, 2);
  assert.deepEqual(lines.map(({ step, state }) => `${state} ${step}`), [
    "begin record",
    "done record",
  ]);
});

Deno.test("a failure is written at once", async () => {
  await using api = await recorded(["a"]);
  const record = await held(api);
  await record.component("a", "Deploying", []);
  await record.component("a", "Failed", []);
  assert.equal(await state(api), "2, a Failed 2");
});

/** Why a record is not what the deployment comes to. */
const DIFFERENT: Readonly<Record<string, (record: HeldRecord) => Promise<void>>> = {
  "a component that is new": async (record) => {
    await record.component("a", "Succeeded", [WEB]);
    await record.component("c", "Succeeded", []);
    await record.finish(["a", "c"]);
  },
  "a release that is new": async (record) => {
    await record.component("a", "Succeeded", [WEB, { ...WEB, chartName: "other" }]);
    await record.finish(["a"]);
  },
  "other connect strings": async (record) => {
    const connectStrings = { x: { description: "", url: "/" } };
    await record.component("a", "Succeeded", [{ ...WEB, connectStrings }]);
    await record.finish(["a"]);
  },
};

for (const [name, act] of Object.entries(DIFFERENT)) {
  Deno.test(`what is held is written for ${name}`, async () => {
    await using api = await recorded(["a"]);
    await act(await held(api));
    assert.match(await state(api), /^2, a Succeeded 2/);
  });
}

Deno.test("a component that is chosen no more is forgotten unless it has releases", async () => {
  for (
    const [charts, expected] of [[[], "2, a Succeeded 2"], [
      [WEB],
      "1, a Succeeded 1, b Succeeded 1",
    ]] as const
  ) {
    await using api = await recorded(["a", "b"], [...charts]);
    const record = await held(api);
    await record.component("a", "Succeeded", charts);
    await record.finish(["a"]);
    assert.equal(await state(api), expected);
  }
});

Deno.test("nothing is held back of another package, or after one that failed", async () => {
  await using api = await recorded(["a"]);
  await (await held(api, { ...SHOP, digest: "sha256:2" })).component("a", "Deploying", []);
  assert.equal(await state(api), "2, a Deploying 2");
  await (await held(api, { ...SHOP, digest: "sha256:2" })).component("a", "Deploying", []);
  assert.equal(await state(api), "3, a Deploying 3");
});

Deno.test("what an interruption has left begun is written on", async () => {
  await using api = await recorded(["a"]);
  const lines: JournalLine[] = [
    { step: "deployment", state: "begin", detail: { identity: "x", generation: 2 } },
    { step: "record", state: "begin" },
  ];
  const record = await held(api, SHOP, lines);
  await record.component("a", "Deploying", []);
  assert.equal(await state(api), "2, a Deploying 2");
});

Deno.test("what was done before an interruption is held back, too", async () => {
  await using api = await recorded(["a", "b"]);
  const record = await held(api);
  record.wasDone("a");
  await record.component("b", "Succeeded", [WEB]);
  await record.finish(["a", "b"]);
  assert.deepEqual(api.writes, []);
  const other = await held(api);
  other.wasDone("a");
  await other.component("b", "Failed", [WEB]);
  assert.equal(await state(api), "2, a Succeeded 2, b Failed 2");
});
