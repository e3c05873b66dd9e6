import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { lastWords, lastWordsOfJob } from "./last_words.ts";

const REF = { namespace: "shop", pod: "web-1", container: "c" };

Deno.test("of a container's log the last lines are asked for, and each is cut", async () => {
  await using api = new ApiObjects();
  api.logs.set("web-1", `first\n\n\x1b[31mred\n${"x".repeat(1_000)}\n`);
  const words = await lastWords(api.client, REF);
  assert.match(words, /^first \| \\u001b\[31mred \| x+…x+$/);
  assert.ok(words.length < 200);
  const { query, path } = api.peer.seen.at(-1) ?? assert.fail();
  assert.equal(path, "/api/v1/namespaces/shop/pods/web-1/log");
  assert.deepEqual(Object.fromEntries(query), {
    container: "c",
    tailLines: "5",
    limitBytes: "8192",
  });
});

Deno.test("a log that cannot be had says nothing", async () => {
  await using api = new ApiObjects();
  assert.equal(await lastWords(api.client, REF), "");
  api.intercept = () => new Response("the node does not answer", { status: 502 });
  assert.equal(await lastWords(api.client, REF), "");
  assert.equal(await lastWordsOfJob(api.client, "shop", "migrate"), "");
});

Deno.test("of a Job's pods the newest counts in which a container went wrong", async () => {
  await using api = new ApiObjects();
  api.put(namespace("shop"));
  const pod = (name: string, second: number, exitCode: number | undefined, init = false) => {
    const state = exitCode === undefined ? { running: {} } : { terminated: { exitCode } };
    const statuses = [{ name: "c", state }];
    api.put({
      ...{ apiVersion: "v1", kind: "Pod" },
      metadata: {
        ...{ name, namespace: "shop", creationTimestamp: `2026-01-01T00:00:0${second}Z` },
        labels: { "batch.kubernetes.io/job-name": "migrate" },
      },
      status: init ? { initContainerStatuses: statuses } : { containerStatuses: statuses },
    } as never);
  };
  assert.equal(await lastWordsOfJob(api.client, "shop", "migrate"), "");
  pod("a", 1, 2);
  pod("c", 2, 3, true);
  pod("b", 3, 0);
  pod("d", 4, undefined);
  const said = () => lastWordsOfJob(api.client, "shop", "migrate");
  assert.equal(await said(), "pod c, container c ended with code 3");
  api.logs.set("c", "no database\n");
  assert.equal(await said(), "pod c, container c ended with code 3; it said last: no database");
});
