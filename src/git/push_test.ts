import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { gitFolderName, gitRepositoryName } from "../refs/mod.ts";
import { type Digest, ensureDir } from "../std/mod.ts";
import { GitError } from "./errors.ts";
import { type GitPushTarget, pushRepository } from "./push.ts";
import { Repositories } from "./repositories.ts";
import { Clone, GIT, git } from "../../test/fakes/git.ts";
import { PushServer } from "../../test/fakes/git_push_server.ts";

const URL_ = "https://git.example.com/team/shop.git@v1";
const NAME = gitRepositoryName(URL_);
const OWNER = "zarf-git-user";
const PASSWORD = "pa!ss~-word";
const DIGEST: Digest = `sha256:${"a".repeat(64)}`;

interface Scene {
  readonly server: PushServer;
  /** As it lies in the package. */
  readonly clone: Clone;
  push(more?: Partial<GitPushTarget>): Promise<void>;
  /** What the server has, by reference. */
  has(): Promise<Record<string, string>>;
}

function withScene(action: (scene: Scene) => Promise<void>): Promise<void> {
  return withDirectory(async (directory) => {
    ensureDir(`${directory}/data/tmp`);
    ensureDir(`${directory}/server`);
    const repositories = new Repositories(GIT, `${directory}/data`);
    const clone = await Clone.make(`${directory}/package/${gitFolderName(URL_)}`);
    await clone.git("tag", "v1");
    await using server = new PushServer(`${directory}/server`, OWNER, PASSWORD);
    await action({
      server,
      clone,
      push: (more = {}) =>
        pushRepository(repositories, {
          ...{ url: URL_, directory: `${directory}/package`, packageName: "shop", digest: DIGEST },
        }, { base: server.base, username: OWNER, password: PASSWORD, reader: "reader", ...more }),
      has: async () => {
        const text = await git(
          server.directoryOf(OWNER, NAME),
          "for-each-ref",
          "--format=%(refname) %(objectname)",
        );
        return Object.fromEntries(text.split("\n").map((line) => line.split(" ")));
      },
    });
    assert.deepEqual([...Deno.readDirSync(`${directory}/data/tmp`)], [], "no copy is left");
  });
}

Deno.test("branches and tags are pushed, and the reader is let in", () =>
  withScene(async ({ server, clone, push, has }) => {
    const first = await clone.git("rev-parse", "HEAD");
    await push();
    const expected = { "refs/heads/main": first, "refs/tags/v1": first };
    assert.deepEqual(await has(), expected);
    assert.deepEqual([...server.readers], [[NAME, ["reader"]]]);
    await push();
    assert.deepEqual(await has(), expected, "twice is once");
    const second = await clone.commit("second");
    await push();
    assert.deepEqual(await has(), { ...expected, "refs/heads/main": second });
    assert.ok(server.seen.every(({ status }) => status < 500));
  }));

Deno.test("what is ahead on the server stays", () =>
  withScene(async ({ server, clone, push, has }) => {
    const first = await clone.git("rev-parse", "HEAD");
    const ahead = await clone.commit("ahead");
    await push();
    await git(server.directoryOf(OWNER, NAME), "update-ref", "refs/heads/theirs", first);
    await clone.git("reset", "--quiet", "--hard", first);
    await push();
    assert.deepEqual(await has(), {
      ...{ "refs/heads/main": ahead, "refs/heads/theirs": first, "refs/tags/v1": first },
    });
  }));

Deno.test("a branch that goes another way on the server is not overwritten", () =>
  withScene(async ({ clone, push, has }) => {
    await push();
    const before = await has();
    await clone.git("commit", "--quiet", "--amend", "-m", "another way");
    await assert.rejects(push(), (error) => {
      assert.ok(error instanceof GitError);
      assert.equal(error.reason, "PushFailed");
      assert.match(error.message, /did not take it: git push .*(non-fast-forward|rejected)/);
      return true;
    });
    assert.deepEqual(await has(), before);
  }));

Deno.test("a server that is away for a moment is asked again", () =>
  withScene(async ({ server, push, has }) => {
    // The fetch and the push of the first attempt.
    server.failing = { left: 2, status: 503 };
    await push();
    assert.equal(Object.keys(await has()).length, 2);
    assert.equal(server.seen.filter(({ status }) => status === 503).length, 2);
  }));

Deno.test("a wrong password is said, and never shown", () =>
  withScene(async ({ push }) => {
    await assert.rejects(push({ password: "wrong-secret" }), (error) => {
      assert.ok(error instanceof GitError);
      assert.equal(error.reason, "PushFailed");
      assert.equal(error.disposition, "retry");
      assert.match(error.message, /git push ended with 128/);
      assert.doesNotMatch(`${error.message} ${error.stack}`, /wrong-secret|d3Jvbmct/);
      return true;
    });
  }));

Deno.test("where it is no Gitea nobody is let in", () =>
  withScene(async ({ server, push }) => {
    const { base } = server;
    await pushAs(push, base);
    assert.deepEqual([...server.readers], []);
    assert.ok(server.seen.every(({ path }) => !path.startsWith("/api/")));
  }));

/** Without a reader. */
async function pushAs(push: Scene["push"], base: string): Promise<void> {
  const target: Partial<GitPushTarget> = { base };
  await push(Object.assign(target, { reader: undefined }));
}
