import assert from "node:assert/strict";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { freeAddress } from "../../test/fakes/free_address.ts";
import { newPackage } from "../../test/fakes/records.ts";
import { eventually, loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { Clone, git } from "../../test/fakes/git.ts";
import { PushServer } from "../../test/fakes/git_push_server.ts";
import { gitFolderName, gitRepositoryName } from "../refs/mod.ts";
import { digestOf } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { loadState, newState, saveState } from "../zarf/mod.ts";
import { ClusterFacts } from "./cluster_facts.ts";
import { NodeName } from "./node_name.ts";
import { GitSite } from "./git_site.ts";
import { Part } from "./listeners.ts";

const URL_ = "https://git.example.com/team/shop.git";
const NAME = gitRepositoryName(URL_);

const added = (version: string) => newPackage({ digest: digestOf(version), name: "shop", version });

/** An agent's part in git, beside a cluster in memory. */
class Scene {
  readonly part = new Part("git server", "starts");
  readonly log = loggerOf();
  readonly site: GitSite;
  readonly facts: ClusterFacts;
  /** What runs until the scene ends. */
  readonly loops: Promise<void>[] = [];

  constructor(
    readonly directory: string,
    readonly store: Store,
    readonly api: ApiObjects,
    readonly address = freeAddress(),
  ) {
    const { logger } = this.log;
    this.facts = new ClusterFacts(store, logger);
    const settings = { "git-address": address };
    const name = new NodeName("one");
    this.site = new GitSite({
      name,
      ...{ settings, store, logger, part: this.part, facts: this.facts },
    });
  }

  async publish(version: string): Promise<void> {
    const target = await this.site.target(this.api.client, new AbortController().signal);
    assert.equal(target.nameOf(URL_), NAME);
    await target.publish({
      ...{ url: URL_, directory: `${this.directory}/${version}`, packageName: "shop" },
      digest: digestOf(version),
    });
  }

  async remote(): Promise<string> {
    const { gitServer } = await loadState(this.api.client) ?? assert.fail("no state");
    const { pullUsername, pullPassword, pushUsername } = gitServer;
    return `http://${pullUsername}:${pullPassword}@${this.address}/${pushUsername}/${NAME}`;
  }
}

async function withScene(action: (scene: Scene, signal: AbortSignal) => Promise<void>) {
  await withDirectory(async (directory) => {
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    const registry = { registryAddress: "127.0.0.1:31999", port: 31999 };
    await saveState(api.client, newState({ ...registry, ipFamily: "ipv4" }));
    api.put({
      ...{ apiVersion: "v1", kind: "Node", metadata: { name: "one" } },
      status: { addresses: [{ type: "InternalIP", address: "192.0.2.1" }] },
    });
    // The API server gives the cluster IP.
    api.onChange = (object) => {
      const { spec } = object;
      if (object.metadata.name !== "holdfast-git" || spec?.clusterIP !== undefined) return;
      if (spec?.ports !== undefined) {
        api.put({ ...object, spec: { ...spec, clusterIP: "10.96.0.7" } });
      }
    };
    const store = Store.open(`${directory}/data`);
    const stop = new AbortController();
    const scene = new Scene(directory, store, api);
    try {
      await action(scene, stop.signal);
    } finally {
      stop.abort();
      await Promise.all(scene.loops);
      store.close();
    }
  });
}

Deno.test("what is published is served, announced, and goes with its package", () =>
  withScene(async (scene, signal) => {
    const { site, api, store, directory, facts, part } = scene;
    const [first, second] = [
      await Clone.make(`${directory}/1/${gitFolderName(URL_)}`),
      await Clone.make(`${directory}/2/${gitFolderName(URL_)}`),
    ];
    await first.git("tag", "v1");
    await second.git("tag", "v2");
    for (const version of ["1", "2"]) store.records.putPackage(added(version));
    scene.loops.push(
      ...[facts.run(api.client, signal), site.serve(signal), site.follow(api.client, signal)],
    );
    assert.ok(site.isAble);
    await scene.publish("1");
    await eventually(() => part.ok && part.message === `listens on ${scene.address}`);
    const remote = await scene.remote();
    assert.match(await git(directory, "ls-remote", remote), /refs\/tags\/v1$/m);
    assert.ok(api.find("endpointslices", "holdfast-git-one"));
    await scene.publish("2");
    assert.match(await git(directory, "ls-remote", remote), /v1[^]*v2/);
    const before = api.writes.length;
    await scene.publish("2");
    assert.deepEqual(api.writes.slice(before), [], "twice is once");
  }));

Deno.test("at the next look what packages brought that are gone is gone", () =>
  withScene(async (scene, signal) => {
    const { api, store, directory, facts } = scene;
    for (const version of ["1", "2"]) {
      const clone = await Clone.make(`${directory}/${version}/${gitFolderName(URL_)}`);
      await clone.git("tag", `v${version}`);
      store.records.putPackage(added(version));
    }
    scene.loops.push(facts.run(api.client, signal));
    await scene.publish("1");
    await scene.publish("2");
    const served = `${store.dir}/git/${NAME}.git`;
    const tags = () => git(served, "tag", "--list");
    assert.equal(await tags(), "v1\nv2");
    const look = () => {
      const stop = new AbortController();
      // A new agent looks at once.
      const fresh = new Scene(directory, store, api, scene.address);
      const [learning, looking] = [
        fresh.facts.run(api.client, stop.signal),
        fresh.site.follow(api.client, stop.signal),
      ];
      return async () => {
        stop.abort();
        await Promise.all([learning, looking]);
      };
    };
    store.records.setPackageState(digestOf("1"), "superseded", { message: "" });
    const end = look();
    await eventually(async () => await tags() === "v2");
    await end();
    store.records.setPackageState(digestOf("2"), "superseded", { message: "" });
    const endAgain = look();
    await eventually(() => api.find("endpointslices", "holdfast-git-one") === undefined);
    await endAgain();
    assert.throws(() => Deno.statSync(served), Deno.errors.NotFound);
  }));

Deno.test("where the site has a git server, repositories are pushed there and nothing is served", () =>
  withScene(async (scene, signal) => {
    const { api, directory, facts, store } = scene;
    const clone = await Clone.make(`${directory}/1/${gitFolderName(URL_)}`);
    const tip = await clone.git("rev-parse", "HEAD");
    Deno.mkdirSync(`${directory}/server`);
    await using server = new PushServer(`${directory}/server`, "zarf-git-user", "geheim");
    const port = server.base.slice(server.base.lastIndexOf(":") + 1);
    const state = await loadState(api.client) ?? assert.fail("no state");
    const gitServer = {
      ...{ pushUsername: "zarf-git-user", pushPassword: "geheim", pullUsername: "reader" },
      ...{ pullPassword: "x", address: `http://zarf-gitea-http.zarf.svc.cluster.local:${port}` },
    };
    await saveState(api.client, { ...state, gitServer });
    api.put({
      ...{ apiVersion: "v1", kind: "Service" },
      metadata: { name: "zarf-gitea-http", namespace: "zarf" },
      spec: { clusterIP: "127.0.0.1" },
    });
    scene.loops.push(facts.run(api.client, signal));
    await scene.publish("1");
    const pushed = server.directoryOf("zarf-git-user", NAME);
    assert.equal(await git(pushed, "rev-parse", "main"), tip);
    assert.deepEqual([...server.readers], [[NAME, ["reader"]]]);
    assert.equal(api.find("services", "holdfast-git"), undefined);
    assert.throws(() => Deno.statSync(`${store.dir}/git/${NAME}.git`), Deno.errors.NotFound);
  }));

Deno.test("a git server elsewhere is pushed to at its address, and is asked for nothing of Gitea's", () =>
  withScene(async (scene, signal) => {
    const { api, directory, facts } = scene;
    const clone = await Clone.make(`${directory}/1/${gitFolderName(URL_)}`);
    const tip = await clone.git("rev-parse", "HEAD");
    Deno.mkdirSync(`${directory}/server`);
    await using server = new PushServer(`${directory}/server`, "site", "geheim");
    const state = await loadState(api.client) ?? assert.fail("no state");
    const users = {
      pushUsername: "site",
      pushPassword: "geheim",
      pullUsername: "r",
      pullPassword: "x",
    };
    // As after zarf init --git-url.
    await saveState(api.client, { ...state, gitServer: { ...users, address: server.base } });
    scene.loops.push(facts.run(api.client, signal));
    await scene.publish("1");
    const pushed = server.directoryOf("site", NAME);
    assert.equal(await git(pushed, "rev-parse", "main"), tip);
    assert.deepEqual([...server.readers], []);
    assert(server.seen.every(({ path }) => !path.startsWith("/api/")), JSON.stringify(server.seen));
    assert.equal(api.find("services", "holdfast-git"), undefined);
  }));

Deno.test("without an address to listen on there are no repositories", () =>
  withDirectory(async (directory) => {
    const store = Store.open(`${directory}/data`);
    try {
      const { logger } = loggerOf();
      const site = new GitSite({
        ...{ store, logger, settings: {}, name: new NodeName("one") },
        ...{ part: new Part("git server", ""), facts: new ClusterFacts(store, logger) },
      });
      assert.equal(site.isAble, false);
      await site.serve(new AbortController().signal);
    } finally {
      store.close();
    }
  }));
