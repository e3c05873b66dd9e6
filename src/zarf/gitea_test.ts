import assert from "node:assert/strict";
import { GiteaPeer } from "../../test/fakes/gitea_peer.ts";
import { Gitea } from "./gitea.ts";

async function withGitea(action: (gitea: Gitea, peer: GiteaPeer) => Promise<void>): Promise<void> {
  await using peer = new GiteaPeer("zarf-git-user", "secret");
  await action(new Gitea({ url: peer.url, username: "zarf-git-user", password: "secret" }), peer);
}

Deno.test("the reader may read and make nothing; made again, nothing changes", () =>
  withGitea(async (gitea, peer) => {
    await gitea.createReader("zarf-git-read-user", "other");
    const reader = {
      username: "zarf-git-read-user",
      password: "other",
      email: "zarf-reader@localhost.local",
      must_change_password: false,
      max_repo_creation: 0,
      allow_create_organization: false,
    };
    assert.deepEqual(peer.users.get("zarf-git-read-user"), reader);
    await gitea.createReader("zarf-git-read-user", "another");
    assert.deepEqual(peer.users.get("zarf-git-read-user"), reader);
  }));

Deno.test("there is one token for packages, and making it again makes another one", () =>
  withGitea(async (gitea, peer) => {
    peer.tokens.set("mine", { sha1: "1", scopes: [] });
    const first = await gitea.createArtifactToken();
    const second = await gitea.createArtifactToken();
    assert.notEqual(first, second);
    assert.deepEqual([...peer.tokens.keys()], ["mine", "zarf-artifact-registry-token"]);
    const { sha1, scopes } = peer.tokens.get("zarf-artifact-registry-token") ?? {};
    assert.equal(sha1, second);
    assert.deepEqual(scopes, ["read:user", "read:package", "write:package"]);
  }));

Deno.test("a Gitea that refuses or is not there is said to, without a password", async () => {
  await using peer = new GiteaPeer("zarf-git-user", "secret");
  const other = { username: "zarf-git-user", password: "wr0ng" };
  for (const url of [peer.url, "http://127.0.0.1:9"]) {
    const gitea = new Gitea({ url, ...other });
    for (const ask of [() => gitea.createReader("a", "b"), () => gitea.createArtifactToken()]) {
      await assert.rejects(ask, (error: Error & { reason?: string; disposition?: string }) => {
        assert.equal(error.reason, "GitServerRefused");
        assert.equal(error.disposition, "retry");
        assert.match(error.message, url === peer.url ? /answered 401/ : /does not answer/);
        assert.doesNotMatch(error.message, /wr0ng/);
        return true;
      });
    }
  }
});
