import assert from "node:assert/strict";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { gitFolderName, gitRepositoryName } from "../refs/mod.ts";
import { ensureDir } from "../std/mod.ts";
import { createGitHandler } from "./handler.ts";
import { Repositories } from "./repositories.ts";
import { type GitServer, serveGit } from "./serve.ts";
import { Clone, GIT, git, tryGit } from "../../test/fakes/git.ts";

const URL_ = "https://git.example.com/team/shop.git";
const NAME = gitRepositoryName(URL_);
const OWNER = "zarf-git-user";
const READER = { username: "reader", password: "geheim" };

interface Agent {
  readonly server: GitServer;
  readonly url: string;
  readonly clone: Clone;
  readonly lines: string[];
  publish(): Promise<void>;
}

function agent(
  directory: string,
  clone: Clone,
  holderOf: (name: string) => string | undefined,
): Agent {
  ensureDir(`${directory}/tmp`);
  const repositories = new Repositories(GIT, directory);
  const { logger, lines } = loggerOf();
  const handler = createGitHandler({
    git: repositories.git,
    directoryOf: (name) => repositories.directoryOf(name),
    access: () => ({ owner: OWNER, reader: READER }),
    logger,
    holderOf,
  });
  const server = serveGit(handler, { hostname: "127.0.0.1", port: 0 });
  return {
    ...{ server, clone, lines },
    url: `http://reader:geheim@127.0.0.1:${server.port}/${OWNER}/${NAME}`,
    publish: () =>
      repositories.publish({
        ...{ url: URL_, directory: clone.directory.replace(/\/[^/]+$/, ""), packageName: "shop" },
        digest: `sha256:${"a".repeat(64)}`,
      }),
  };
}

Deno.test("a request is passed on to the node that has the newest of a repository, once", () =>
  withDirectory(async (directory) => {
    const old = await Clone.make(`${directory}/old/${gitFolderName(URL_)}`);
    const fresh = await Clone.make(`${directory}/fresh/${gitFolderName(URL_)}`);
    const tip = await fresh.commit("second");
    const ports: number[] = [];
    // Each takes the other one for the holder: what is passed on is not passed back.
    const holder = agent(`${directory}/b`, fresh, () => `http://127.0.0.1:${ports[0]}`);
    const asked = agent(`${directory}/a`, old, () => `http://127.0.0.1:${ports[1]}`);
    ports.push(asked.server.port, holder.server.port);
    try {
      await holder.publish();
      for (const version of ["0", "2"]) {
        const copy = `${directory}/copy${version}`;
        await git(
          directory,
          "-c",
          `protocol.version=${version}`,
          "clone",
          "--quiet",
          asked.url,
          copy,
        );
        assert.equal(await git(copy, "rev-parse", "HEAD"), tip);
      }
      await asked.publish();
      assert.match(await git(directory, "ls-remote", asked.url, "main"), new RegExp(`^${tip}`));
      const wrong = await tryGit(directory, "ls-remote", asked.url.replace("geheim", "no"));
      assert.match(wrong.stderr, /Authentication failed/);
      await holder.server.shutdown();
      const own = await asked.clone.git("rev-parse", "HEAD");
      assert.match(
        await git(directory, "ls-remote", asked.url, "main"),
        new RegExp(`^${own}`),
        "what is here is better than nothing",
      );
      assert.match(asked.lines.join("\n"), /the node that has a git repository does not answer/);
      assert.doesNotMatch(asked.lines.join("\n"), /geheim/);
    } finally {
      await Promise.all([asked.server.shutdown(), holder.server.shutdown()]);
    }
  }));
