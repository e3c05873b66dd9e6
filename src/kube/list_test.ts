import assert from "node:assert/strict";
import { KubeError, type KubeErrorReason } from "./errors.ts";
import { listAll, MAX_ITEMS } from "./list.ts";

const PODS = { apiVersion: "v1", kind: "Pod" } as const;

/** A server with so many pods, whose answers may be refused; what it was asked is kept. */
function server(
  count: number,
  refuse: (query: URLSearchParams, call: number) => KubeErrorReason | undefined = () => undefined,
) {
  const asked: string[] = [];
  const fetchPage = (text: string) => {
    const query = new URLSearchParams(text);
    asked.push(`${query.get("continue") ?? "start"}+${query.get("limit")}`);
    const reason = refuse(query, asked.length);
    if (reason !== undefined) return Promise.reject(new KubeError({ reason, message: reason }));
    const from = Number(query.get("continue") ?? 0);
    const to = Math.min(count, from + Number(query.get("limit")));
    const items = Array.from({ length: to - from }, (_, index) => ({
      metadata: { name: `p${from + index}` },
    }));
    const metadata = { resourceVersion: "7", ...(to < count ? { continue: String(to) } : {}) };
    return Promise.resolve({ metadata, items });
  };
  return { asked, fetchPage };
}

for (
  const [count, limit, asked, got] of [
    [0, undefined, ["start+500"], 0],
    [1, undefined, ["start+500"], 1],
    [500, undefined, ["start+500"], 500],
    [501, undefined, ["start+500", "500+500"], 501],
    [1_200, undefined, ["start+500", "500+500", "1000+500"], 1_200],
    [1_200, 1, ["start+1"], 1],
    [1_200, 500, ["start+500"], 500],
    [1_200, 501, ["start+500", "500+500"], 501],
    [10, 100, ["start+100"], 10],
  ] as const
) {
  Deno.test(`of ${count} objects${limit === undefined ? "" : `, at most ${limit},`} ${got} come in ${asked.length} pages`, async () => {
    const { asked: seen, fetchPage } = server(count);
    const { items, resourceVersion } = await listAll(fetchPage, PODS, limit ? { limit } : {});
    assert.deepEqual(seen, asked);
    assert.equal(resourceVersion, "7");
    assert.deepEqual(
      items.map(({ metadata }) => metadata.name),
      Array.from({ length: got }, (_, index) => `p${index}`),
    );
  });
}

Deno.test("the selectors are on every page", async () => {
  const { fetchPage } = server(600);
  const queries: URLSearchParams[] = [];
  const options = { labelSelector: "a=b", fieldSelector: "c=d" };
  await listAll(
    (text) => {
      queries.push(new URLSearchParams(text));
      return fetchPage(text);
    },
    PODS,
    options,
  );
  assert.deepEqual(
    queries.map((each) => [each.get("labelSelector"), each.get("fieldSelector")]),
    [["a=b", "c=d"], ["a=b", "c=d"]],
  );
});

Deno.test("a page that is too large is asked for in halves, and the rest in pages that fit", async () => {
  const { asked, fetchPage } = server(
    300,
    (query) => Number(query.get("limit")) > 125 ? "TooLarge" : undefined,
  );
  const { items } = await listAll(fetchPage, PODS, {});
  assert.equal(items.length, 300);
  assert.deepEqual(asked, ["start+500", "start+250", "start+125", "125+125", "250+125"]);
});

Deno.test("an object that is too large by itself ends the list after pages of one", async () => {
  const { asked, fetchPage } = server(3, () => "TooLarge");
  await assert.rejects(listAll(fetchPage, PODS, {}), { reason: "TooLarge" });
  assert.deepEqual(asked.map((each) => Number(each.split("+")[1])), [
    500,
    250,
    125,
    63,
    32,
    16,
    8,
    4,
    2,
    1,
  ]);
});

Deno.test("a forgotten version starts the list again, three times and no more", async () => {
  for (const times of [1, 2, 3]) {
    let left = times;
    const { fetchPage } = server(
      600,
      (query) => query.has("continue") && left-- > 0 ? "Gone" : undefined,
    );
    const { items } = await listAll(fetchPage, PODS, {});
    assert.equal(items.length, 600, "nothing is there twice");
  }
  const { asked, fetchPage } = server(600, (query) => query.has("continue") ? "Gone" : undefined);
  await assert.rejects(listAll(fetchPage, PODS, {}), { reason: "Gone" });
  assert.equal(asked.length, 8);
});

for (const reason of ["Forbidden", "Timeout", "Unreachable", "ServerError"] as const) {
  Deno.test(`${reason} in the middle ends the list at once`, async () => {
    const { asked, fetchPage } = server(600, (_, call) => call === 2 ? reason : undefined);
    await assert.rejects(listAll(fetchPage, PODS, {}), { reason });
    assert.equal(asked.length, 2);
  });
}

Deno.test("a list without end is given up at its limit, and says what to do", async () => {
  const { asked, fetchPage } = server(10 * MAX_ITEMS);
  await assert.rejects(
    listAll(fetchPage, PODS, {}),
    (error) =>
      error instanceof KubeError && error.reason === "TooLarge" &&
      /choose fewer/.test(error.remedy ?? "") && error.message.includes(`${MAX_ITEMS}`),
  );
  assert.equal(asked.length, MAX_ITEMS / 500 + 1);
});

for (
  const answer of [
    {},
    { items: [] },
    { metadata: {} },
    { items: 3, metadata: { resourceVersion: "1" } },
    { items: {}, metadata: { resourceVersion: "1" } },
    { items: [], metadata: { resourceVersion: 1 } },
    { items: [3], metadata: { resourceVersion: "1" } },
    { items: [{}], metadata: { resourceVersion: "1" } },
  ]
) {
  Deno.test(`${JSON.stringify(answer)} is no list`, async () => {
    await assert.rejects(listAll(() => Promise.resolve(answer), PODS, {}), {
      reason: "BadResponse",
    });
  });
}

Deno.test("an empty list may come as null, and a continuation that is no text is an end", async () => {
  for (const next of [undefined, "", 3, null]) {
    const answer = { items: null, metadata: { resourceVersion: "1", continue: next } };
    assert.deepEqual(await listAll(() => Promise.resolve(answer), PODS, {}), {
      items: [],
      resourceVersion: "1",
    });
  }
});
