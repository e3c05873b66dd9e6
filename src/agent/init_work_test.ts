import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { RegistryPeer } from "../../test/fakes/registry_peer.ts";
import { seedIn } from "../../test/fakes/seed_cluster.ts";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { knownSeed, registryDeployment } from "../bootstrap/mod.ts";
import { DeployError, resolveVariables } from "../deploy/mod.ts";
import { parseDefinition } from "../package/mod.ts";
import { parseImageReference } from "../refs/mod.ts";
import { Store } from "../store/mod.ts";
import {
  GITEA_ADDRESS,
  loadState,
  newState,
  registryServiceAt,
  saveState,
  type ZarfState,
} from "../zarf/mod.ts";
import { InitWork } from "./init_work.ts";

const STATE = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });

/** A store that holds an image of a registry, and a cluster with a registry. */
class Scene {
  constructor(
    readonly store: Store,
    readonly api: ApiObjects,
    readonly registry: RegistryPeer,
  ) {}

  /** Whose storage it has: ours is below the store. */
  deploy(storageDir = `${this.store.dir}/registry`): void {
    this.api.put(registryDeployment({ image: "old", storageDir, state: STATE }));
    this.api.put({
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: "old",
        namespace: "zarf",
        labels: { release: "zarf-docker-registry" },
      },
      spec: { nodeName: "node-1", containers: [{ image: "old" }] },
      status: { conditions: [{ type: "Ready", status: "True" }] },
    } as AnyObject);
  }

  async work(
    names: readonly string[],
    { image = true, set = {}, state = STATE, wishes = {} }: {
      image?: boolean;
      set?: Record<string, string>;
      state?: ZarfState;
      wishes?: Record<string, string>;
    } = {},
  ): Promise<InitWork> {
    const { store, api, registry } = this;
    const seed = await seedIn(store);
    store.records.setValue("seed", null);
    const reference = "docker.io/library/registry:3";
    const { host, path: repository, tag } = parseImageReference(reference);
    const named = { reference, host, repository, tag, descriptor: seed.image.descriptor };
    const components = names.map((name) => ({
      name,
      required: true,
      images: name === "zarf-registry" && image ? [reference] : [],
    }));
    const definition = parseDefinition(new TextEncoder().encode(JSON.stringify({
      kind: "ZarfInitConfig",
      metadata: { name: "init" },
      components,
    })));
    return new InitWork({
      ...{ kube: api.client, store, logger: loggerOf().logger, nodeName: "node-1" },
      tags: { forget: () => {} },
      access: {
        url: `http://${registry.ip}:5000`,
        service: registryServiceAt(registry.ip),
        state,
      },
      ...{
        registryAddress: "127.0.0.1:31999",
        wishes,
        definition,
        components: definition.components,
      },
      variables: resolveVariables(definition, { given: set, readTextFile: () => undefined }),
      images: image ? [named] : [],
      signal: new AbortController().signal,
    });
  }
}

function onScene(action: (scene: Scene) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    await using api = new ApiObjects();
    await using registry = new RegistryPeer();
    const { pushUsername, pushPassword } = STATE.registryInfo;
    registry.users = () => [`${pushUsername}:${pushPassword}`];
    registry.up = true;
    api.put(namespace("zarf"));
    await saveState(api.client, STATE);
    await action(new Scene(store, api, registry));
  });
}

const quiet = () => {};

Deno.test("a registry that does not start is a rollback, and the seed stays what it was", () =>
  onScene(async (scene) => {
    scene.deploy();
    scene.api.onChange = (object) => {
      if (object.kind !== "Pod" || object.status !== undefined) return;
      scene.api.put({ ...object, status: { phase: "Failed" } } as AnyObject);
    };
    const work = await scene.work(["zarf-registry"]);
    const error = await work.before("zarf-registry", quiet).then(() => undefined, (error) => error);
    assert.ok(error instanceof DeployError, String(error));
    assert.equal(error.reason, "RolledBack");
    assert.equal(error.disposition, "terminal");
    assert.match(error.message, /registry:3@sha256:[0-9a-f]{64} does not start/);
    assert.equal(error.kept, "the registry from before serves as it did");
    assert.equal(knownSeed(scene.store), undefined);
    assert.ok(scene.registry.tags.has("library/registry:3"), "it was pulled from there");
  }));

Deno.test("a registry of Zarf's stays, and that is said", () =>
  onScene(async (scene) => {
    scene.deploy("/elsewhere");
    const work = await scene.work(["zarf-registry"], { set: { REGISTRY_PVC_SIZE: "1Gi" } });
    await work.before("zarf-registry", quiet);
    assert.deepEqual([...work.notes], [[
      "zarf-registry",
      "provided by Holdfast: the registry was made by Zarf and stays what it was; " +
      "not used: REGISTRY_PVC_SIZE",
    ]]);
    assert.equal(knownSeed(scene.store), undefined);
  }));

Deno.test("a registry of the site's own stays, and nothing is pushed into it", () =>
  onScene(async (scene) => {
    const registryInfo = { ...STATE.registryInfo, registryMode: "external" };
    const state = { ...STATE, registryInfo };
    const work = await scene.work(["zarf-registry"], { state });
    scene.registry.writes.length = 0;
    await work.before("zarf-registry", quiet);
    assert.match(work.notes.get("zarf-registry") ?? "", /registry of its own, which stays in use/);
    assert.deepEqual(scene.registry.writes, []);
  }));

Deno.test("what the site's config file says for init is in the state before anything is deployed", () =>
  onScene(async (scene) => {
    const wishes = { "storage_class": "fast", "registry.injector_port": "31337" };
    const work = await scene.work(["zarf-injector", "git-server"], { wishes });
    await work.begin();
    assert.equal((await loadState(scene.api.client))?.storageClass, "fast");
    assert.deepEqual([...work.notes], [
      ["zarf-injector", "provided by Holdfast; not used: init.registry.injector_port"],
    ]);
  }));

Deno.test("a package without a registry's image leaves the registry alone", () =>
  onScene(async (scene) => {
    scene.deploy();
    const work = await scene.work(["zarf-registry"], { image: false });
    scene.api.writes.length = 0;
    await work.before("zarf-registry", quiet);
    assert.match(work.notes.get("zarf-registry") ?? "", /has no registry image/);
    assert.deepEqual(scene.api.writes, []);
  }));

Deno.test("the Gitea's users come before it, its address after it, and only where it is chosen", () =>
  onScene(async (scene) => {
    const address = async () => (await loadState(scene.api.client))?.gitServer.address;
    const user = async () => (await loadState(scene.api.client))?.gitServer.pushUsername;
    const without = await scene.work(["zarf-agent"]);
    await without.begin();
    assert.equal(await user(), "");
    const work = await scene.work(["zarf-agent", "git-server"]);
    await work.begin();
    assert.deepEqual([await user(), await address()], ["zarf-git-user", ""]);
    for (const name of ["zarf-agent", "git-server"]) await work.before(name, quiet);
    await work.after("zarf-agent");
    assert.equal(await address(), "");
    await work.after("git-server");
    assert.equal(await address(), GITEA_ADDRESS);
    assert.deepEqual([...work.notes], [["zarf-agent", "provided by Holdfast"]]);
  }));

Deno.test("where the site has another git server, the verdict says that the Gitea is not used", () =>
  onScene(async (scene) => {
    const gitServer = { ...STATE.gitServer, address: "https://git.example.com" };
    await saveState(scene.api.client, { ...STATE, gitServer });
    const work = await scene.work(["git-server"]);
    await work.begin();
    await work.after("git-server");
    assert.match(work.notes.get("git-server") ?? "", /another git server, which stays in use/);
  }));

Deno.test("what cannot be wished of the registry is refused before anything is done", () =>
  onScene(async (scene) => {
    await assert.rejects(scene.work(["zarf-registry"], { set: { REGISTRY_CPU_REQ: "much" } }), {
      reason: "VariableInvalid",
    });
  }));
