import assert from "node:assert/strict";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { createGitHandler, Repositories, serveGit } from "../../src/git/mod.ts";
import { GIT, git, tryGit } from "../fakes/git.ts";
import { exec, silentLogger } from "../../src/std/mod.ts";
import { Store } from "../../src/store/mod.ts";
import { withDirectory } from "../fakes/testing.ts";
import { takeIn } from "../fixtures/take_in.ts";
import { Origin, packageOf } from "./support/git_packages.ts";

/*
 * What the real zarf packs is taken in, served, and cloned by the real git and by go-git, the client
 * of Flux, without a cluster.
 */

const OWNER = "zarf-git-user";
const READER = { username: "zarf-git-read-user", password: "geheim" };
const GOGIT = await ensureTool(TOOLS.gogit);

/** Serves what the store's packages bring of a repository, while `action` runs. */
async function serving(
  store: Store,
  urls: readonly string[],
  action: (address: string) => Promise<void>,
): Promise<void> {
  const repositories = new Repositories(GIT, store.dir);
  for (const { digest, name } of store.records.listPackages()) {
    const directory = `${store.packagePath(digest)}/components/sources/repos`;
    for (const url of urls) {
      await repositories.publish({ url, directory, packageName: name, digest });
    }
  }
  const handler = createGitHandler({
    git: repositories.git,
    directoryOf: (name) => repositories.directoryOf(name),
    access: () => ({ owner: OWNER, reader: READER }),
    logger: silentLogger,
  });
  const server = serveGit(handler, { hostname: "127.0.0.1", port: 0 });
  try {
    await action(`http://127.0.0.1:${server.port}/${OWNER}`);
  } finally {
    await server.shutdown();
  }
}

/** What go-git gets: the commit, how many files it has, and the subjects of its history. */
async function goGit(url: string, flags: readonly string[], password = READER.password) {
  const { code, stdout, stderr } = await exec(GOGIT, {
    args: [`--url=${url}`, `--username=${READER.username}`, ...flags],
    env: { PASSWORD: password, HOME: "/" },
    timeout: 60_000,
  });
  const [head = "", ...history] = stdout.trimEnd().split("\n");
  const [commit = "", files = ""] = head.split(" ");
  return { code, stderr, commit, files: Number(files), history };
}

Deno.test("a repository that the real zarf packed is cloned by git and by go-git", () =>
  withDirectory(async (directory) => {
    const origin = await Origin.make(directory);
    const first = await origin.clone.git("rev-parse", "HEAD");
    await origin.commit("second");
    const tip = await origin.commit("third");
    const file = await packageOf([origin.url], "1.0.0", `${directory}/package`);
    await Deno.mkdir(`${directory}/drop`);
    await Deno.rename(file, `${directory}/drop/${file.slice(file.lastIndexOf("/") + 1)}`);
    const store = Store.open(`${directory}/data`);
    try {
      await takeIn(store, `${directory}/drop`, 1);
      await serving(store, [origin.url], async (address) => {
        for (const url of [`${address}/${origin.name}`, `${address}/${origin.name}.git`]) {
          const all = { code: 0, stderr: "", commit: tip, files: 3 };
          const history = ["third", "second", "first"];
          assert.deepEqual(await goGit(url, []), { ...all, history });
          const main = "--reference=refs/heads/main";
          assert.deepEqual(await goGit(url, [main]), { ...all, history });
          assert.deepEqual(await goGit(url, [main, "--depth=1"]), { ...all, history: ["third"] });
          const old = { code: 0, stderr: "", commit: first, files: 1, history: ["first"] };
          assert.deepEqual(await goGit(url, ["--reference=refs/heads/stable", "--depth=1"]), old);
          assert.deepEqual(await goGit(url, ["--reference=refs/tags/v1", "--depth=1"]), old);
          assert.deepEqual(await goGit(url, [`--commit=${first}`]), old);
          assert.deepEqual(await goGit(url, [main, `--commit=${first}`]), old);
          const wrong = await goGit(url, [], "wrong");
          assert.match(wrong.stderr, /authentication required|authorization failed/i);
        }
        const none = await goGit(`${address}/nothing-1`, []);
        assert.match(none.stderr, /not found/);
        const url = `${address}/${origin.name}`.replace("//", "//zarf-git-read-user:geheim@");
        await git(directory, "clone", "--quiet", url, `${directory}/copy`);
        assert.equal(await git(`${directory}/copy`, "rev-parse", "HEAD"), tip);
        assert.equal(await git(`${directory}/copy`, "rev-parse", "v1^{commit}"), first);
        assert.equal((await tryGit(`${directory}/copy`, "push", "origin", "main:new")).code, 128);
      });
    } finally {
      store.close();
    }
  }));

Deno.test("several references of one repository in one package are all served", () =>
  withDirectory(async (directory) => {
    const origin = await Origin.make(directory);
    const first = await origin.clone.git("rev-parse", "HEAD");
    const second = await origin.commit("second");
    const urls = ["@refs/heads/main", "@v1", `@${first}`].map((ref) => `${origin.url}${ref}`);
    const file = await packageOf(urls, "1.0.0", `${directory}/package`);
    await Deno.mkdir(`${directory}/drop`);
    await Deno.rename(file, `${directory}/drop/${file.slice(file.lastIndexOf("/") + 1)}`);
    const store = Store.open(`${directory}/data`);
    try {
      await takeIn(store, `${directory}/drop`, 1);
      await serving(store, urls, async (address) => {
        const url = `${address}/${origin.name}`.replace("//", "//zarf-git-read-user:geheim@");
        const lines = (await git(directory, "ls-remote", url)).split("\n");
        const references = Object.fromEntries(lines.map((line) => line.split("\t").reverse()));
        assert.equal(references["refs/heads/main"], second);
        assert.equal(references["refs/tags/v1^{}"], first);
        assert.equal(references["refs/heads/zarf-ref-v1"], first);
        assert.equal(references[`refs/heads/zarf-ref-${first}`], first);
      });
    } finally {
      store.close();
    }
  }));
