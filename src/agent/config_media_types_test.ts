import assert from "node:assert/strict";
import { newPackage } from "../../test/fakes/records.ts";
import { RegistryPeer } from "../../test/fakes/registry_peer.ts";
import { seedIn } from "../../test/fakes/seed_cluster.ts";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { digestOf, isDigest, systemClock } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { newState, registryServiceAt, siteAccessOf } from "../zarf/mod.ts";
import { ClusterFacts } from "./cluster_facts.ts";
import { ConfigMediaTypes } from "./config_media_types.ts";

const CHART = "application/vnd.cncf.helm.config.v1+json";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const SERVICE = "zarf-docker-registry.zarf.svc.cluster.local:5000";

interface Stage {
  readonly store: Store;
  readonly registry: RegistryPeer;
  readonly types: ConfigMediaTypes;
}

/** A node that knows of a registry in its cluster. */
function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    await using registry = new RegistryPeer();
    registry.users = () => ["reader:geheim"];
    registry.up = true;
    const state = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
    store.records.setValue("cluster-facts", {
      access: siteAccessOf(state, registryServiceAt(registry.ip)),
      registry: { url: `http://${registry.ip}:5000`, username: "reader", password: "geheim" },
    });
    const facts = new ClusterFacts(store, loggerOf().logger);
    await action({ store, registry, types: new ConfigMediaTypes(store, facts) });
  });
}

function manifestOf(mediaType: string) {
  return new TextEncoder().encode(JSON.stringify({ config: { mediaType }, layers: [] }));
}

/** Puts a manifest into the registry under a tag, and gives its digest. */
function put(registry: RegistryPeer, name: string, bytes: Uint8Array): string {
  const digest = digestOf(bytes);
  registry.blobs.set(digest, bytes);
  registry.tags.set(name, digest);
  return digest;
}

/** Puts a manifest into the store, as a package would. */
async function take(store: Store, repository: string, tag: string, bytes: Uint8Array) {
  const digest = digestOf(bytes);
  async function* once() {
    yield await Promise.resolve(bytes);
  }
  await store.blobs.write(digest, bytes.length, once());
  const descriptor = { mediaType: MANIFEST, digest, size: bytes.length };
  store.records.putPackage(newPackage({
    digest: digestOf(`${repository}:${tag}`),
    name: "chart",
    images: [{
      reference: `ghcr.io/${repository}:${tag}`,
      host: "ghcr.io",
      repository,
      tag,
      zarfTag: `${tag}-zarf-7`,
      descriptor,
    }],
    manifests: [descriptor],
    blobs: [{ digest, size: bytes.length }],
  }));
  return digest;
}

Deno.test("what the registry holds is known under each of its addresses, by tag and by digest", () =>
  staged(async ({ registry, types }) => {
    const digest = put(registry, "org/chart:1-zarf-7", manifestOf(CHART));
    for (const host of [SERVICE, `${registry.ip}:5000`, "127.0.0.1:31999"]) {
      for (const name of [`:1-zarf-7`, `@${digest}`, `:9@${digest}`]) {
        assert.equal(await types.of(`${host}/org/chart${name}`), CHART, host + name);
      }
    }
  }));

Deno.test("what the store holds needs no registry", () =>
  staged(async ({ registry, store, types }) => {
    registry.up = false;
    const digest = await take(store, "org/chart", "1", manifestOf(CHART));
    for (const name of [":1", ":1-zarf-7", `@${digest}`]) {
      assert.equal(await types.of(`${SERVICE}/org/chart${name}`), CHART, name);
    }
    assert.equal(await types.of(`${SERVICE}/org/other:1`), undefined);
  }));

Deno.test("what is in neither, is no manifest of an artifact or of another host is not known", () =>
  staged(async ({ registry, store, types }) => {
    const text = (value: string) => new TextEncoder().encode(value);
    put(registry, "org/index:1", text('{"manifests":[]}'));
    put(registry, "org/broken:1", text("{"));
    put(registry, "org/list:1", text("[]"));
    put(registry, "org/number:1", text('{"config":{"mediaType":7}}'));
    put(registry, "org/chart:1", manifestOf(CHART));
    const { image } = await seedIn(store);
    assert(isDigest(image.descriptor.digest));
    const rows = [
      `${SERVICE}/org/index:1`,
      `${SERVICE}/org/broken:1`,
      `${SERVICE}/org/list:1`,
      `${SERVICE}/org/number:1`,
      `${SERVICE}/org/absent:1`,
      `${SERVICE}/org/chart`,
      `${SERVICE}/library/registry:3`,
      `${SERVICE}/`,
      "ghcr.io/org/chart:1",
      `${SERVICE}0/org/chart:1`,
      "",
    ];
    for (const row of rows) assert.equal(await types.of(row), undefined, row);
  }));

Deno.test("a tag that moved is seen", () =>
  staged(async ({ registry, types }) => {
    for (const type of ["application/a+json", "application/b+json"]) {
      put(registry, "org/chart:1", manifestOf(type));
      assert.equal(await types.of(`${SERVICE}/org/chart:1`), type);
    }
  }));

Deno.test("without facts, credentials or a registry nothing is known, and nothing is thrown", () =>
  staged(async ({ registry, store, types }) => {
    put(registry, "org/chart:1", manifestOf(CHART));
    registry.users = () => [];
    assert.equal(await types.of(`${SERVICE}/org/chart:1`), undefined);
    registry.up = false;
    assert.equal(await types.of(`${SERVICE}/org/chart:1`), undefined);
    store.records.setValue("cluster-facts", {});
    const nothing = new ConfigMediaTypes(store, new ClusterFacts(store, loggerOf().logger));
    assert.equal(await nothing.of(`${SERVICE}/org/chart:1`), undefined);
  }));

Deno.test("a registry that does not answer is given up after a second, and asked once for all", () =>
  withDirectory(async (dir) => {
    using store = Store.open(dir);
    let asked = 0;
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async () => {
      asked++;
      await systemClock.sleep(60_000, stop.signal);
      return new Response("{}");
    });
    const stop = new AbortController();
    const state = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
    store.records.setValue("cluster-facts", {
      access: siteAccessOf(state, registryServiceAt("10.96.0.12")),
      registry: { url: `http://127.0.0.1:${server.addr.port}`, username: "", password: "" },
    });
    const types = new ConfigMediaTypes(store, new ClusterFacts(store, loggerOf().logger));
    const started = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => types.of(`${SERVICE}/org/chart:1`)),
    );
    const took = performance.now() - started;
    stop.abort();
    assert(answers.every((answer) => answer === undefined));
    assert(took > 900 && took < 50_000, `${took} ms`);
    assert.equal(asked, 1);
  }));
