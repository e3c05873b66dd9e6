import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { eventually, loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { gitFolderName, gitRepositoryName } from "../refs/mod.ts";
import { ensureDir } from "../std/mod.ts";
import { createGitHandler, type GitHandlerOptions } from "./handler.ts";
import { Repositories } from "./repositories.ts";
import { serveGit } from "./serve.ts";
import { Clone, GIT, git, tryGit } from "../../test/fakes/git.ts";

const URL_ = "https://git.example.com/team/shop.git";
const NAME = gitRepositoryName(URL_);
const OWNER = "zarf-git-user";
const READER = { username: "zarf-git-read-user", password: "pa!ss~-word" };
const AUTHORIZATION = `Basic ${btoa(`${READER.username}:${READER.password}`)}`;

interface Scene {
  readonly directory: string;
  readonly clone: Clone;
  readonly address: string;
  /** With the reader's credentials in it. */
  readonly url: string;
  readonly lines: string[];
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  post(body: BodyInit, headers?: Record<string, string>): Promise<Response>;
}

/** A served repository with two commits, a branch and a tag. */
function withScene(
  action: (scene: Scene) => Promise<void>,
  more: Partial<GitHandlerOptions> = {},
): Promise<void> {
  return withDirectory(async (directory) => {
    ensureDir(`${directory}/data/tmp`);
    const repositories = new Repositories(GIT, `${directory}/data`);
    const clone = await Clone.make(`${directory}/package/${gitFolderName(URL_)}`);
    await clone.git("tag", "v1");
    await clone.commit("second");
    await repositories.publish({
      ...{ url: URL_, directory: `${directory}/package`, packageName: "shop" },
      digest: `sha256:${"a".repeat(64)}`,
    });
    const { logger, lines } = loggerOf();
    const handler = createGitHandler({
      git: repositories.git,
      directoryOf: (name) => repositories.directoryOf(name),
      access: () => ({ owner: OWNER, reader: READER }),
      logger,
      ...more,
    });
    const server = serveGit(handler, { hostname: "127.0.0.1", port: 0 });
    const address = `127.0.0.1:${server.port}`;
    const base = `http://${address}/${OWNER}/${NAME}`;
    try {
      await action({
        ...{ directory, clone, address, lines },
        url: base.replace("//", `//${READER.username}:${READER.password}@`),
        get: (path, headers = {}) =>
          fetch(`http://${address}${path}`, {
            headers: { authorization: AUTHORIZATION, ...headers },
          }),
        post: (body, headers = {}) =>
          fetch(`${base}/git-upload-pack`, {
            method: "POST",
            body,
            headers: {
              ...{ authorization: AUTHORIZATION, "content-type": REQUEST, ...headers },
            },
          }),
      });
    } finally {
      await server.shutdown();
    }
  });
}

const REQUEST = "application/x-git-upload-pack-request";

for (const version of ["0", "1", "2"]) {
  Deno.test(`the real git clones and fetches with protocol version ${version}`, () =>
    withScene(async ({ directory, clone, url }) => {
      const tip = await clone.git("rev-parse", "HEAD");
      const first = await clone.git("rev-parse", "v1");
      const protocol = ["-c", `protocol.version=${version}`];
      for (const address of [url, `${url}.git`]) {
        const copy = `${directory}/copy${address.length}`;
        await git(directory, ...protocol, "clone", "--quiet", address, copy);
        assert.equal(await git(copy, "rev-parse", "HEAD"), tip);
        assert.equal(await git(copy, "rev-parse", "--abbrev-ref", "HEAD"), "main");
        assert.equal(await git(copy, "log", "--format=%s"), "second\nfirst");
        assert.doesNotMatch(await git(copy, "ls-remote", "origin"), /packages/);
      }
      const shallow = `${directory}/shallow`;
      await git(
        directory,
        ...protocol,
        "clone",
        "--quiet",
        "--depth=1",
        "--branch=main",
        url,
        shallow,
      );
      assert.equal(await git(shallow, "log", "--format=%s"), "second");
      const tagged = `${directory}/tagged`;
      await git(directory, "init", "--quiet", tagged);
      await git(
        tagged,
        ...protocol,
        "fetch",
        "--quiet",
        "--depth=1",
        url,
        "tag",
        "v1",
        "--no-tags",
      );
      assert.equal(await git(tagged, "rev-parse", "v1"), first);
      await git(tagged, ...protocol, "fetch", "--quiet", url, tip);
      assert.equal(await git(tagged, "rev-parse", "FETCH_HEAD"), tip, "by commit, as Argo CD");
      const partial = `${directory}/partial`;
      await git(
        directory,
        ...protocol,
        "clone",
        "--quiet",
        "--filter=blob:none",
        "--no-checkout",
        url,
        partial,
      );
      assert.equal(await git(partial, "rev-parse", "HEAD"), tip);
    }));
}

Deno.test("who has not the reader's password gets nothing, and it is in no log", () =>
  withScene(async ({ directory, address, url, get, lines }) => {
    for (const bad of [url.replace("pa!ss", "wrong"), url.replace(/\/\/.*@/, "//")]) {
      const { code, stderr } = await tryGit(directory, "clone", "--quiet", bad, `${directory}/no`);
      assert.equal(code, 128, bad);
      assert.match(stderr, /Authentication failed|could not read Username/);
    }
    const info = `/${OWNER}/${NAME}/info/refs?service=git-upload-pack`;
    const without = await fetch(`http://${address}${info}`);
    assert.equal(without.status, 401);
    assert.equal(without.headers.get("www-authenticate"), 'Basic realm="git"');
    await without.body?.cancel();
    const answer = await get("/anything", { authorization: "Basic " });
    assert.equal(answer.status, 401, "nothing is told apart without credentials");
    await answer.body?.cancel();
    assert.doesNotMatch(lines.join("\n"), /pa!ss|wrong/);
  }));

Deno.test("nothing but reading by the smart protocol is answered", () =>
  withScene(async ({ get, post, clone, url }) => {
    const rows: [path: string, status: number][] = [
      [`/${OWNER}/${NAME}/info/refs?service=git-upload-pack`, 200],
      [`/${OWNER}/${NAME}.git/info/refs?service=git-upload-pack`, 200],
      [`/${OWNER}/${NAME}/info/refs`, 404],
      [`/${OWNER}/${NAME}/info/refs?service=git-upload-archive`, 404],
      [`/${OWNER}/${NAME}/info/refs?service=git-receive-pack`, 403],
      [`/${OWNER}/${NAME}/HEAD`, 404],
      [`/${OWNER}/${NAME}/objects/info/packs`, 404],
      [`/${OWNER}/${NAME}/git-upload-pack`, 405],
      [`/${OWNER}/${NAME}/git-receive-pack`, 403],
      [`/${OWNER}/other-1/info/refs?service=git-upload-pack`, 404],
      [`/somebody/${NAME}/info/refs?service=git-upload-pack`, 404],
      ["/", 404],
    ];
    for (const [path, status] of rows) {
      const answer = await get(path);
      assert.equal(answer.status, status, path);
      await answer.body?.cancel();
    }
    await assert.rejects(clone.git("push", "--quiet", url, "main:pushed"), /403/);
    const wrong = await post("0000", { "content-type": "text/plain" });
    assert.equal(wrong.status, 415);
    await wrong.body?.cancel();
    const packed = await post("0000", { "content-encoding": "br" });
    assert.equal(packed.status, 415);
    await packed.body?.cancel();
  }));

Deno.test("what stands before the references depends on the protocol's version", () =>
  withScene(async ({ get }) => {
    const path = `/${OWNER}/${NAME}/info/refs?service=git-upload-pack`;
    const rows: [header: string, expected: RegExp][] = [
      ["", /^001e# service=git-upload-pack\n0000[0-9a-f]{4}[0-9a-f]{40} HEAD\0/],
      ["version=1", /^001e# service=git-upload-pack\n0000000eversion 1\n/],
      ["version=2", /^000eversion 2\n/],
      ["version=9; touch /tmp/x", /^001e# service/],
    ];
    for (const [header, expected] of rows) {
      const answer = await get(path, header === "" ? {} : { "git-protocol": header });
      assert.equal(
        answer.headers.get("content-type"),
        "application/x-git-upload-pack-advertisement",
      );
      assert.match(answer.headers.get("cache-control") ?? "", /no-cache/);
      assert.match(await answer.text(), expected);
    }
  }));

const LS_REFS = "0014command=ls-refs\n0000";

Deno.test("a request may be packed, and one that is too long or broken is refused", () =>
  withScene(async ({ post }) => {
    const v2 = { "git-protocol": "version=2" };
    const plain = await post(LS_REFS, v2);
    assert.equal(plain.headers.get("content-type"), "application/x-git-upload-pack-result");
    const expected = await plain.text();
    assert.match(expected, /refs\/heads\/main/);
    assert.doesNotMatch(expected, /refs\/packages/);
    const gzip = { ...v2, "content-encoding": "gzip" };
    const packed = await post(gzipSync(LS_REFS) as BodyInit, gzip);
    assert.equal(await packed.text(), expected);
    const broken = await post("this is not gzip", gzip);
    assert.equal(broken.status, 400);
    await broken.body?.cancel();
    // git reads on and on and says nothing.
    const have = "0032have 1111111111111111111111111111111111111111\n";
    const bomb = gzipSync(`0012command=fetch\n0001${have.repeat(700_000)}`);
    assert.ok(bomb.length < 1 << 20);
    const large = await post(bomb as BodyInit, gzip);
    assert.equal(large.status, 413);
    await large.body?.cancel();
  }));

Deno.test("a clone that is given up ends its processes", () =>
  withScene(async ({ clone, directory, post }) => {
    Deno.writeFileSync(`${clone.directory}/large`, randomBytes(24 << 20));
    await clone.git("add", "large");
    await clone.git("commit", "--quiet", "-m", "large");
    const tip = await clone.git("rev-parse", "HEAD");
    const served = `${directory}/data/git/${NAME}.git`;
    await git(served, "fetch", "--quiet", clone.directory, "+main:main");
    const answer = await post(
      `0012command=fetch\n00010032want ${tip}\n0009done\n0000`,
      { "git-protocol": "version=2" },
    );
    const reader = answer.body?.getReader() ?? assert.fail("no body");
    await reader.read();
    assert.equal(children(), 1, "it waits for its reader");
    assert.ok(processesIn(served) > 0);
    await reader.cancel();
    await eventually(() => children() === 0 && processesIn(served) === 0);
  }));

/** Processes of git that work in a directory, whoever has started them. */
function processesIn(directory: string): number {
  return [...Deno.readDirSync("/proc")].filter(({ name }) => {
    try {
      return Deno.readLinkSync(`/proc/${name}/cwd`) === directory;
    } catch {
      return false;
    }
  }).length;
}

/** Processes of git that this process has started and that have not ended. */
function children(): number {
  const all = [...Deno.readDirSync("/proc")].filter(({ name }) => /^\d+$/.test(name));
  return all.filter(({ name }) => {
    try {
      const stat = Deno.readTextFileSync(`/proc/${name}/stat`);
      const [, state, parent] = stat.slice(stat.lastIndexOf(")")).split(" ");
      return parent === String(Deno.pid) && state !== "Z" && stat.includes("(git)");
    } catch {
      return false;
    }
  }).length;
}

Deno.test("too many at once are told when to come again, and whoever leaves makes room", () =>
  withScene(async ({ get, post }) => {
    const stop = new AbortController();
    const never = new ReadableStream<Uint8Array>({ type: "bytes" });
    const first = await post("0000");
    await first.body?.cancel();
    await eventually(() => children() === 0);
    const waiting = fetch(first.url, {
      method: "POST",
      body: never,
      signal: stop.signal,
      headers: { authorization: AUTHORIZATION, "content-type": REQUEST },
    });
    await eventually(() => children() === 1);
    const path = `/${OWNER}/${NAME}/info/refs?service=git-upload-pack`;
    const refused = await get(path);
    assert.equal(refused.status, 503);
    assert.equal(refused.headers.get("retry-after"), "5");
    await refused.body?.cancel();
    stop.abort();
    await assert.rejects(waiting);
    await eventually(() => children() === 0);
    const answer = await get(path);
    assert.equal(answer.status, 200);
    await answer.text();
  }, { maxChildren: 1 }));

Deno.test("while nobody is known who may read, nobody may", () =>
  withScene(async ({ get }) => {
    const answer = await get(`/${OWNER}/${NAME}/info/refs?service=git-upload-pack`);
    assert.equal(answer.status, 503);
    await answer.body?.cancel();
  }, { access: () => undefined }));

Deno.test("an address that is taken is named with its setting", () =>
  withScene(({ address }) => {
    const [hostname = "", port] = address.split(":");
    const handler = () => Promise.resolve(new Response());
    assert.throws(
      () => serveGit(handler, { hostname, port: Number(port) }),
      /the git server cannot listen on .*: another program/,
    );
    return Promise.resolve();
  }));
