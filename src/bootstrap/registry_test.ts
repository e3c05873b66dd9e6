import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { RegistryPeer } from "../../test/fakes/registry_peer.ts";
import { digestOf } from "../std/mod.ts";
import { newState, type ZarfState } from "../zarf/mod.ts";
import {
  deployedImage,
  ensureRegistryObjects,
  parseRegistryImage,
  registryAnswers,
  registryImage,
  registryOwner,
  registryTrouble,
  registryUrl,
} from "./registry.ts";

const freshState = () =>
  newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });

function withApi(action: (api: ApiObjects) => Promise<void>): Promise<void> {
  return (async () => {
    await using api = new ApiObjects();
    api.put(namespace("zarf"));
    await action(api);
  })();
}

const service = (spec: unknown) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "zarf-docker-registry", namespace: "zarf" },
  spec,
} as AnyObject);

const addresses: readonly [string, unknown, string | undefined][] = [
  ["an IPv4 address", { clusterIP: "10.96.0.12" }, "http://10.96.0.12:5000"],
  ["an IPv6 address", { clusterIP: "fd00::12" }, "http://[fd00::12]:5000"],
  ["no address yet", {}, undefined],
  ["an empty address", { clusterIP: "" }, undefined],
  ["no address at all", { clusterIP: "None" }, undefined],
];

for (const [what, spec, url] of addresses) {
  Deno.test(`a registry whose Service has ${what} is at ${url ?? "no URL"}`, () =>
    withApi(async (api) => {
      api.put(service(spec));
      assert.equal(await registryUrl(api.client), url);
    }));
}

Deno.test("a registry without a Service has no URL", () =>
  withApi(async (api) => assert.equal(await registryUrl(api.client), undefined)));

Deno.test("a registry answers when it lets the state's reader in", async () => {
  await using registry = new RegistryPeer();
  const state = freshState();
  const url = `http://${registry.ip}:5000`;
  const { pullUsername, pullPassword } = state.registryInfo;
  registry.users = () => [`${pullUsername}:${pullPassword}`];
  assert.equal(await registryAnswers(url, state), false, "it is not up");
  registry.up = true;
  assert.equal(await registryAnswers(url, state), true);
  assert.equal(await registryAnswers(url, freshState()), false, "another password");
  assert.equal(await registryAnswers("http://127.77.0.1:9", state), false, "nobody is there");
});

/** The Deployment that the real Zarf left in a cluster. */
function zarfsDeployment(): AnyObject {
  const path = "../../test/fixtures/zarf-cluster/nodeport/zarf-workloads.json";
  const list: { items: AnyObject[] } = JSON.parse(
    Deno.readTextFileSync(new URL(path, import.meta.url)),
  );
  return list.items.find(({ kind, metadata }) =>
    kind === "Deployment" && metadata.name === "zarf-docker-registry"
  ) ?? assert.fail("no Deployment");
}

const plan = (state: ZarfState) => ({
  image: "127.0.0.1:31999/library/registry:3",
  storageDir: "/var/lib/holdfast/registry",
  state,
});

const WRITTEN = [
  "PATCH services/zarf-docker-registry",
  "PATCH secrets/zarf-docker-registry-secret",
  "PATCH deployments/zarf-docker-registry",
];

Deno.test("the registry's objects are written once, in an order in which each finds the others", () =>
  withApi(async (api) => {
    const state = freshState();
    api.onChange = (object, type) => {
      if (object.kind === "Service" && type === "ADDED") {
        api.put(service({ clusterIP: "10.0.0.1" }));
      }
    };
    await ensureRegistryObjects(api.client, plan(state));
    assert.deepEqual(api.writes, WRITTEN);
    assert.equal(await deployedImage(api.client), "127.0.0.1:31999/library/registry:3");
    await ensureRegistryObjects(api.client, plan(state));
    assert.equal(api.writes.length, 3, "nothing is written where nothing is missing");
  }));

for (const [at, missing] of ["services", "secrets", "deployments"].entries()) {
  Deno.test(`of the registry's objects only the ${missing} that went away are written again`, () =>
    withApi(async (api) => {
      const state = freshState();
      await ensureRegistryObjects(api.client, plan(state));
      api.put(service({ clusterIP: "10.0.0.1" }));
      const [gone] = api.all(missing);
      assert(gone);
      api.remove(gone);
      api.writes.length = 0;
      await ensureRegistryObjects(api.client, plan(state));
      assert.deepEqual(api.writes, [WRITTEN[at]]);
    }));
}

Deno.test("other credentials are put into the Secret", () =>
  withApi(async (api) => {
    await ensureRegistryObjects(api.client, plan(freshState()));
    const before = api.find("secrets", "zarf-docker-registry-secret")?.data.htpasswd;
    api.put(service({ clusterIP: "10.0.0.1" }));
    api.writes.length = 0;
    await ensureRegistryObjects(api.client, plan(freshState()));
    assert.deepEqual(api.writes, ["PATCH secrets/zarf-docker-registry-secret"]);
    assert.notEqual(api.find("secrets", "zarf-docker-registry-secret")?.data.htpasswd, before);
  }));

Deno.test("a registry is Holdfast's or Zarf's by its storage", () =>
  withApi(async (api) => {
    assert.equal(await registryOwner(api.client), undefined);
    await ensureRegistryObjects(api.client, plan(freshState()));
    assert.equal(await registryOwner(api.client), "Holdfast");
    api.put(zarfsDeployment());
    assert.equal(await registryOwner(api.client), "Zarf");
  }));

const pod = (status: unknown) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "zarf-docker-registry-1",
    namespace: "zarf",
    labels: { release: "zarf-docker-registry" },
  },
  status,
} as AnyObject);

const waiting = (state: unknown) => ({ phase: "Pending", containerStatuses: [{ state }] });

const troubles: readonly [string, AnyObject | undefined, string][] = [
  ["was not created", undefined, "its pod was not created"],
  [
    "cannot be scheduled",
    pod({ conditions: [{ type: "PodScheduled", status: "False", message: "0/3 nodes" }] }),
    "its pod has no node: 0/3 nodes",
  ],
  [
    "cannot pull its image",
    pod(waiting({ waiting: { reason: "ImagePullBackOff", message: "not found" } })),
    "ImagePullBackOff: not found",
  ],
  ["is created", pod(waiting({ waiting: { reason: "ContainerCreating" } })), "ContainerCreating"],
  ["runs and does not answer", pod({ phase: "Running" }), "its pod is Running"],
  ["says nothing", pod({}), "its pod is unknown"],
];

for (const [what, found, text] of troubles) {
  Deno.test(`of a registry whose pod ${what} the trouble is: ${text}`, () =>
    withApi(async (api) => {
      api.put({ ...pod({ phase: "Failed" }), metadata: { name: "other", namespace: "zarf" } });
      if (found !== undefined) api.put(found);
      assert.equal(await registryTrouble(api.client), text);
    }));
}

Deno.test("the image of the registry is read as it was named", () => {
  const digest = digestOf("image");
  const image = { repository: "library/registry", tag: "3" };
  const descriptor = { mediaType: "", digest, size: 1 };
  const named = registryImage("127.0.0.1:31999", {
    ...{ ...image, host: "docker.io", zarfTag: "3-zarf-1", descriptor },
  });
  assert.equal(named, `127.0.0.1:31999/library/registry:3@${digest}`);
  assert.deepEqual(parseRegistryImage(named), { ...image, digest });
  assert.deepEqual(parseRegistryImage("127.0.0.1:31999/library/registry:3"), image);
  for (const other of ["", "registry", "127.0.0.1:31999/library/registry", `${named}0`]) {
    assert.equal(parseRegistryImage(other), undefined, other);
  }
});
