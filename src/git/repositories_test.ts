import assert from "node:assert/strict";
import { withDirectory } from "../../test/fakes/testing.ts";
import { gitFolderName, gitRepositoryName } from "../refs/mod.ts";
import { type Digest, ensureDir } from "../std/mod.ts";
import { GitError } from "./errors.ts";
import { Repositories } from "./repositories.ts";
import { Clone, GIT, git } from "../../test/fakes/git.ts";

const URL_ = "https://git.example.com/team/shop.git";
const NAME = gitRepositoryName(URL_);
const digest = (character: string): Digest => `sha256:${character.repeat(64)}`;

/** Repositories in a data directory, and packages whose components bring clones. */
class Scene {
  readonly repositories: Repositories;

  constructor(readonly directory: string) {
    ensureDir(`${directory}/data/tmp`);
    this.repositories = new Repositories(GIT, `${directory}/data`);
  }

  /** The place of a package's clone. */
  clone(name: string, url = URL_): Promise<Clone> {
    return Clone.make(`${this.directory}/${name}/${gitFolderName(url)}`);
  }

  publish(name: string, character: string, packageName = "shop", url = URL_): Promise<void> {
    const directory = `${this.directory}/${name}`;
    return this.repositories.publish({ url, directory, packageName, digest: digest(character) });
  }

  /** The references that are served, by name, and where HEAD is. */
  async served(name = NAME): Promise<Record<string, string>> {
    const directory = this.repositories.directoryOf(name) ?? assert.fail(`no repository ${name}`);
    const text = await git(
      directory,
      "for-each-ref",
      "--format=%(refname:short) %(objectname)",
      "refs/heads",
      "refs/tags",
    );
    const head = await git(directory, "symbolic-ref", "HEAD");
    await git(directory, "fsck", "--full", "--strict", "--connectivity-only");
    const lines = text.split("\n").filter(Boolean).map((line) => line.split(" "));
    return { ...Object.fromEntries(lines), HEAD: head.replace("refs/heads/", "") };
  }

  /** How many files lie in the data directory's `tmp`. */
  leftovers(): number {
    return [...Deno.readDirSync(`${this.directory}/data/tmp`)].length;
  }
}

const withScene = (action: (scene: Scene) => Promise<void>) =>
  withDirectory((directory) => action(new Scene(directory)));

Deno.test("a package's branches and tags are served, and no others of its references", () =>
  withScene(async (scene) => {
    const clone = await scene.clone("a");
    const first = await clone.git("rev-parse", "HEAD");
    await clone.git("tag", "-a", "v1", "-m", "v1");
    await clone.git("pack-refs", "--all");
    const second = await clone.commit("second");
    await clone.git("checkout", "--quiet", "-b", "feature/x", first);
    await clone.git("update-ref", "refs/remotes/online-upstream/main", second);
    await clone.git("update-ref", "refs/notes/x", first);
    const tag = await clone.git("rev-parse", "v1");
    await scene.publish("a", "a");
    const expected = { main: second, "feature/x": first, v1: tag, HEAD: "feature/x" };
    assert.deepEqual(await scene.served(), expected);
    await scene.publish("a", "a");
    assert.deepEqual(await scene.served(), expected, "twice is once");
    assert.deepEqual(scene.repositories.names(), [NAME]);
    assert.equal(scene.leftovers(), 0);
  }));

Deno.test("several packages add up; the newest one's branch is served until it goes", () =>
  withScene(async (scene) => {
    const one = await scene.clone("one");
    const old = await one.git("rev-parse", "HEAD");
    await one.git("tag", "v1");
    await scene.publish("one", "1");
    const two = await scene.clone("two");
    await two.git("commit", "--quiet", "--amend", "-m", "something else altogether");
    const other = await two.git("rev-parse", "HEAD");
    await two.git("tag", "v2");
    await scene.publish("two", "2", "bank");
    const both = { main: other, v1: old, v2: other, HEAD: "main" };
    assert.deepEqual(await scene.served(), both);
    await scene.publish("one", "1");
    assert.deepEqual(await scene.served(), both, "an older package that is deployed anew");
    await one.commit("next");
    const next = await one.git("rev-parse", "HEAD");
    await scene.publish("one", "3");
    assert.deepEqual(await scene.served(), { ...both, main: next });
    const wanted = new Set([digest("1"), digest("2")]);
    assert.deepEqual(await scene.repositories.retain((each) => wanted.has(each)), []);
    assert.deepEqual(await scene.served(), both, "the newest package is gone");
    assert.deepEqual(await scene.repositories.retain((each) => each === digest("1")), []);
    assert.deepEqual(await scene.served(), { main: old, v1: old, HEAD: "main" });
    assert.deepEqual(await scene.repositories.retain(() => false), [NAME]);
    assert.equal(scene.repositories.directoryOf(NAME), undefined);
    assert.equal(scene.leftovers(), 0);
  }));

Deno.test("branches may change places with directories of branches", () =>
  withScene(async (scene) => {
    const one = await scene.clone("one");
    await one.git("branch", "-m", "a/b");
    await scene.publish("one", "1");
    const two = await scene.clone("two");
    await two.git("branch", "-m", "a");
    const commit = await two.commit("more");
    await scene.publish("two", "2");
    assert.deepEqual(await scene.served(), { a: commit, HEAD: "a" });
    const original = await one.git("rev-parse", "HEAD");
    await scene.repositories.retain((each) => each === digest("1"));
    assert.deepEqual(await scene.served(), { "a/b": original, HEAD: "a/b" });
  }));

Deno.test("packages that come at once do not get into each other's way", () =>
  withScene(async (scene) => {
    const names = ["a", "b", "c", "d"];
    for (const name of names) await (await scene.clone(name)).git("tag", `of-${name}`);
    await Promise.all(names.map((name) => scene.publish(name, name, name)));
    assert.deepEqual(Object.keys(await scene.served()).sort(), [
      ...["HEAD", "main", "of-a", "of-b", "of-c", "of-d"],
    ]);
  }));

Deno.test("a shallow clone is served as it is", () =>
  withScene(async (scene) => {
    const full = await Clone.make(`${scene.directory}/full`);
    const tip = await full.commit("second");
    const place = `${scene.directory}/a/${gitFolderName(URL_)}`;
    await git(scene.directory, "clone", "--quiet", "--depth=1", `file://${full.directory}`, place);
    await scene.publish("a", "a");
    assert.deepEqual(await scene.served(), { main: tip, HEAD: "main" });
  }));

Deno.test("a package of Zarf 0.24 names the clone otherwise", () =>
  withScene(async (scene) => {
    const clone = await Clone.make(`${scene.directory}/a/${NAME}`);
    await scene.publish("a", "a");
    assert.equal((await scene.served())["main"], await clone.git("rev-parse", "HEAD"));
  }));

Deno.test("with a reference behind the URL the name is the same", () =>
  withScene(async (scene) => {
    const url = `${URL_}@refs/tags/v1`;
    const clone = await scene.clone("a", url);
    await clone.git("checkout", "--quiet", "-b", "zarf-ref-v1");
    await scene.publish("a", "a", "shop", url);
    assert.equal((await scene.served())["HEAD"], "zarf-ref-v1");
  }));

/** What a package may have done to its clone, and what must come of it. */
const HOSTILE: readonly {
  readonly name: string;
  readonly harm: (clone: Clone, scene: Scene) => void | Promise<void>;
  readonly refused?: RegExp;
}[] = [
  {
    name: "hooks and configuration that name programs",
    harm: (clone, scene) => {
      const script = `#!/bin/sh\ntouch ${scene.directory}/harmed\ncat\n`;
      for (const hook of ["post-checkout", "reference-transaction", "pre-auto-gc", "post-update"]) {
        Deno.mkdirSync(`${clone.directory}/.git/hooks`, { recursive: true });
        Deno.writeTextFileSync(`${clone.directory}/.git/hooks/${hook}`, script, { mode: 0o755 });
      }
      const path = `${clone.directory}/.git/hooks/post-update`;
      Deno.writeTextFileSync(
        `${clone.directory}/.git/config`,
        `[core]\n repositoryformatversion = 0\n fsmonitor = ${path}\n sshCommand = ${path}\n` +
          ` hooksPath = ${clone.directory}/.git/hooks\n gitProxy = ${path}\n` +
          `[uploadpack]\n packObjectsHook = ${path}\n[include]\n path = /etc/passwd\n` +
          `[extensions]\n partialClone = origin\n[remote "origin"]\n url = ext::${path}\n` +
          `[core]\n alternateRefsCommand = ${path}\n`,
      );
    },
  },
  {
    name: "objects of another repository of the machine",
    harm: async (clone, scene) => {
      const secret = await Clone.make(`${scene.directory}/secret`);
      const commit = await secret.commit("secret");
      const objects = `${secret.directory}/.git/objects`;
      Deno.writeTextFileSync(`${clone.directory}/.git/objects/info/alternates`, `${objects}\n`);
      Deno.writeTextFileSync(`${clone.directory}/.git/refs/heads/stolen`, `${commit}\n`);
    },
    refused: /git fetch/,
  },
  {
    name: "a link in an object's place",
    harm: async (clone, scene) => {
      const other = await Clone.make(`${scene.directory}/other`);
      const commit = await other.commit("other");
      await other.git("repack", "-adq");
      const pack = `${other.directory}/.git/objects/pack`;
      for (const { name } of Deno.readDirSync(pack)) {
        Deno.symlinkSync(`${pack}/${name}`, `${clone.directory}/.git/objects/pack/${name}`);
      }
      Deno.writeTextFileSync(`${clone.directory}/.git/refs/heads/stolen`, `${commit}\n`);
    },
    refused: /git fetch/,
  },
  {
    name: "references that are links or lead elsewhere",
    harm: (clone, scene) => {
      Deno.writeTextFileSync(`${scene.directory}/text`, `${"1".repeat(40)}\n`);
      const heads = `${clone.directory}/.git/refs/heads`;
      Deno.symlinkSync(`${scene.directory}/text`, `${heads}/link`);
      Deno.writeTextFileSync(`${heads}/elsewhere`, "ref: ../../../../text\n");
      Deno.symlinkSync("/", `${heads}/root`);
      Deno.removeSync(`${clone.directory}/.git/HEAD`);
      Deno.symlinkSync("/etc/hostname", `${clone.directory}/.git/HEAD`);
    },
  },
  {
    name: "a branch that is no commit",
    harm: async (clone) => {
      const blob = await clone.git("hash-object", "-w", "first");
      Deno.writeTextFileSync(`${clone.directory}/.git/refs/heads/blob`, `${blob}\n`);
    },
    refused: /blob|non-commit/,
  },
  {
    name: "a commit whose tree is not there",
    harm: async (clone) => {
      const tree = await clone.git("rev-parse", "HEAD^{tree}");
      Deno.removeSync(`${clone.directory}/.git/objects/${tree.slice(0, 2)}/${tree.slice(2)}`);
    },
    refused: /git fetch/,
  },
  {
    name: "a repository elsewhere",
    harm: (clone) => {
      Deno.renameSync(`${clone.directory}/.git`, `${clone.directory}/real`);
      Deno.writeTextFileSync(`${clone.directory}/.git`, `gitdir: ${clone.directory}/real\n`);
    },
    refused: /it is not in the package/,
  },
  {
    name: "a link to a repository elsewhere",
    harm: (clone) => {
      Deno.renameSync(`${clone.directory}/.git`, `${clone.directory}/real`);
      Deno.symlinkSync(`${clone.directory}/real`, `${clone.directory}/.git`);
    },
    refused: /it is not in the package/,
  },
  {
    name: "no branch",
    harm: (clone) => Deno.removeSync(`${clone.directory}/.git/refs/heads/main`),
    refused: /no branch and no tag/,
  },
];

for (const { name, harm, refused } of HOSTILE) {
  Deno.test(`a package with ${name} ${refused === undefined ? "does no harm" : "is refused"}`, () =>
    withScene(async (scene) => {
      const good = await scene.clone("good");
      await scene.publish("good", "1", "bank");
      const clone = await scene.clone("bad");
      const commit = await clone.commit("second");
      await harm(clone, scene);
      const before = await scene.served();
      const publishing = scene.publish("bad", "2");
      if (refused === undefined) {
        await publishing;
        assert.deepEqual(await scene.served(), { main: commit, HEAD: "main" });
      } else {
        await assert.rejects(publishing, (error) => {
          assert.ok(error instanceof GitError);
          assert.match(error.message, refused);
          return true;
        });
        assert.deepEqual(await scene.served(), before, "what is served is as it was");
      }
      assert.throws(() => Deno.statSync(`${scene.directory}/harmed`), Deno.errors.NotFound);
      assert.equal(await good.git("rev-parse", "HEAD"), before["main"]);
      assert.equal(scene.leftovers(), 0);
    }));
}

Deno.test("a repository that is not in the package is named", () =>
  withScene(async (scene) => {
    Deno.mkdirSync(`${scene.directory}/empty`);
    await assert.rejects(scene.publish("empty", "1"), (error) => {
      assert.ok(error instanceof GitError);
      assert.equal(error.reason, "RepositoryBroken");
      assert.equal(error.message, `the package has no repository ${gitFolderName(URL_)}`);
      return true;
    });
    assert.deepEqual(scene.repositories.names(), []);
  }));

Deno.test("only names of repositories lead to directories", () =>
  withScene(async (scene) => {
    await scene.clone("a");
    await scene.publish("a", "a");
    assert.match(scene.repositories.directoryOf(NAME) ?? "", /\/git\/shop-\d+\.git$/);
    for (const name of ["", ".", "..", "../tmp", "nothing", `${NAME}/objects`, `${NAME}\0`]) {
      assert.equal(scene.repositories.directoryOf(name), undefined, name);
    }
  }));
