import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { ensureGitServer, OWN_GIT_ADDRESS } from "./git_server.ts";
import {
  GITEA_ADDRESS,
  hasGiteaArtifacts,
  isGitea,
  keepArtifactToken,
  prepareGitea,
  useGitea,
} from "./gitea_state.ts";
import { loadState, newState, saveState, type ZarfState } from "./state.ts";

/** A cluster whose state has this git server. */
async function withState(
  gitServer: Partial<ZarfState["gitServer"]>,
  action: (api: ApiObjects, state: () => Promise<ZarfState>) => Promise<void>,
): Promise<void> {
  await using api = new ApiObjects();
  api.put(namespace("zarf"));
  const fresh = newState({
    ...{ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" },
  });
  await saveState(api.client, { ...fresh, gitServer: { ...fresh.gitServer, ...gitServer } });
  api.writes.length = 0;
  await action(api, async () => await loadState(api.client) ?? assert.fail("no state"));
}

Deno.test("a Gitea is given users before it is there, and its address when it is", () =>
  withState({}, async (api, state) => {
    await prepareGitea(api.client);
    const { gitServer, artifactServer } = await state();
    assert.equal(gitServer.address, "", "nobody is sent there yet");
    assert.equal(gitServer.pushUsername, "zarf-git-user");
    assert.equal(gitServer.pullUsername, "zarf-git-read-user");
    assert.match(gitServer.pushPassword, /^[\w!~-]{24}$/);
    assert.match(gitServer.pullPassword, /^[\w!~-]{24}$/);
    assert.equal(artifactServer.address, `${GITEA_ADDRESS}/api/packages/zarf-git-user`);
    assert.equal(artifactServer.pushUsername, "zarf-git-user");
    assert.ok(hasGiteaArtifacts(await state()));
    await prepareGitea(api.client);
    assert.equal(api.writes.length, 1, "what is there stays");
    assert.equal(await useGitea(api.client), true);
    assert.equal(await useGitea(api.client), true);
    assert.equal(api.writes.length, 2);
    assert.deepEqual((await state()).gitServer, { ...gitServer, address: GITEA_ADDRESS });
    assert.ok(isGitea(GITEA_ADDRESS));
  }));

Deno.test("repositories that the agents serve keep their reader when a Gitea comes", () =>
  withState({}, async (api, state) => {
    const { gitServer } = await ensureGitServer(api.client);
    await prepareGitea(api.client);
    assert.equal((await state()).gitServer.address, OWN_GIT_ADDRESS);
    assert.equal(await useGitea(api.client), true);
    assert.deepEqual((await state()).gitServer, { ...gitServer, address: GITEA_ADDRESS });
  }));

Deno.test("while a Gitea is being installed the agents serve with its reader's password", () =>
  withState({}, async (api, state) => {
    await prepareGitea(api.client);
    const { pullPassword, pushPassword } = (await state()).gitServer;
    const { gitServer } = await ensureGitServer(api.client);
    assert.deepEqual(
      [gitServer.address, gitServer.pullPassword, gitServer.pushPassword],
      [OWN_GIT_ADDRESS, pullPassword, pushPassword],
    );
  }));

Deno.test("a git server of somebody else's stays the site's", () =>
  withState({ address: "https://git.example.com", pushPassword: "a" }, async (api, state) => {
    const before = await state();
    await prepareGitea(api.client);
    assert.equal(await useGitea(api.client), false);
    assert.deepEqual(await state(), before);
    assert.deepEqual(api.writes, []);
    assert.equal(hasGiteaArtifacts(before), false);
  }));

Deno.test("the token of the package registry is kept beside what is there", () =>
  withState({}, async (api, state) => {
    await prepareGitea(api.client);
    const before = await state();
    await keepArtifactToken(api.client, "t0ken");
    const artifactServer = { ...before.artifactServer, pushPassword: "t0ken" };
    assert.deepEqual(await state(), { ...before, artifactServer });
  }));

Deno.test("without a state there is nothing to change", async () => {
  await using api = new ApiObjects();
  api.put(namespace("zarf"));
  for (const change of [prepareGitea, useGitea]) {
    await assert.rejects(change(api.client), { reason: "StateInvalid" });
  }
  await assert.rejects(keepArtifactToken(api.client, "x"), { reason: "StateInvalid" });
  assert.deepEqual(api.writes, []);
});
