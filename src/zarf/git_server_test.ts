import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { ensureGitServer, isOwnGitServer, OWN_GIT_ADDRESS, serviceAt } from "./git_server.ts";
import { loadState, newState, saveState } from "./state.ts";

async function withState(): Promise<ApiObjects> {
  const api = new ApiObjects();
  api.put(namespace("zarf"));
  const address = { registryAddress: "127.0.0.1:31999", port: 31999 };
  await saveState(api.client, newState({ ...address, ipFamily: "ipv4" }));
  api.writes.length = 0;
  return api;
}

Deno.test("a state without a git server gets the agents' own, once", async () => {
  await using api = await withState();
  const before = await loadState(api.client);
  const { gitServer, ...rest } = await ensureGitServer(api.client);
  const { gitServer: _, ...others } = before ?? assert.fail("no state");
  assert.deepEqual(rest, others, "nothing else is changed");
  assert.equal(gitServer.address, "http://holdfast-git.zarf.svc.cluster.local:3000");
  assert.ok(isOwnGitServer(gitServer.address));
  assert.equal(gitServer.pushUsername, "zarf-git-user");
  assert.equal(gitServer.pullUsername, "zarf-git-read-user");
  assert.match(gitServer.pushPassword ?? "", /^[\w!~-]{24}$/);
  assert.match(gitServer.pullPassword ?? "", /^[\w!~-]{24}$/);
  assert.notEqual(gitServer.pushPassword, gitServer.pullPassword);
  assert.equal(api.writes.length, 1);
  assert.deepEqual((await ensureGitServer(api.client)).gitServer, gitServer);
  assert.equal(api.writes.length, 1, "credentials that exist never change");
});

Deno.test("a git server that is there stays", async () => {
  await using api = await withState();
  const state = await loadState(api.client) ?? assert.fail("no state");
  const address = "http://zarf-gitea-http.zarf.svc.cluster.local:3000";
  await saveState(api.client, { ...state, gitServer: { ...state.gitServer, address } });
  api.writes.length = 0;
  const { gitServer } = await ensureGitServer(api.client);
  assert.equal(gitServer.address, address);
  assert.ok(!isOwnGitServer(gitServer.address));
  assert.deepEqual(api.writes, []);
});

Deno.test("without a state there is none to change", async () => {
  await using api = new ApiObjects();
  api.put(namespace("zarf"));
  await assert.rejects(ensureGitServer(api.client), /no Zarf state/);
  assert.deepEqual(api.writes, []);
});

Deno.test("addresses of the cluster's Services are told from others", () => {
  const rows: [address: string, expected: ReturnType<typeof serviceAt>][] = [
    [OWN_GIT_ADDRESS, { name: "holdfast-git", namespace: "zarf", port: 3000 }],
    ["https://a.b.svc.cluster.local:443/prefix", { name: "a", namespace: "b", port: 443 }],
    ["http://a.b.svc.cluster.local", undefined],
    ["http://a.b.c.svc.cluster.local:80", undefined],
    ["http://git.example.com:3000", undefined],
    ["http://user@a.b.svc.cluster.local:80", undefined],
    ["", undefined],
  ];
  for (const [address, expected] of rows) assert.deepEqual(serviceAt(address), expected, address);
});
