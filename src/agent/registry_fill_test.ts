import assert from "node:assert/strict";
import { ApiObjects } from "../../test/fakes/api_objects.ts";
import { RegistryPeer } from "../../test/fakes/registry_peer.ts";
import { loggerOf, withDirectory } from "../../test/fakes/testing.ts";
import { type Digest, digestOf } from "../std/mod.ts";
import { type PackageRecord, type PackageState, Store } from "../store/mod.ts";
import { newState, registryServiceAt } from "../zarf/mod.ts";
import { fillRegistry, pushTarget, type RegistryFillOptions } from "./registry_fill.ts";

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const TAGS = ["1", "1-zarf-7"];
const never = new AbortController().signal;

/** A store with packages, and a registry that is or was filled from it. */
class Stage {
  readonly registry = new RegistryPeer();
  readonly forgotten: string[] = [];
  readonly options: RegistryFillOptions;

  constructor(readonly store: Store, api: ApiObjects) {
    const state = newState({
      ...{ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" },
    });
    this.registry.up = true;
    this.registry.users = () => [
      `${state.registryInfo.pushUsername}:${state.registryInfo.pushPassword}`,
    ];
    this.options = {
      kube: api.client,
      store,
      access: {
        url: `http://${this.registry.ip}:5000`,
        service: registryServiceAt(this.registry.ip),
        state,
      },
      nodeName: "node-1",
      tags: { forget: (name) => void this.forgotten.push(name) },
      logger: loggerOf().logger,
    };
  }

  /** Takes in a package whose image is `library/web:1`. */
  async take(name: string, state: PackageState = "ready"): Promise<PackageRecord> {
    const config = await this.#put(`{"config":"${name}"}`);
    const manifest = await this.#put(
      JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers: [] }),
    );
    const descriptor = { mediaType: MANIFEST, ...manifest };
    const [tag = "", zarfTag = ""] = TAGS;
    const digest = digestOf(name);
    this.store.records.putPackage({
      ...{ digest, name, version: "1.0.0", architecture: "amd64", kind: "ZarfPackageConfig" },
      ...{ signature: "Unsigned", acceptedAt: "2026-01-02T03:04:05Z", fileName: "f", bytes: 1 },
      images: [{
        ...{ reference: "docker.io/library/web:1", host: "docker.io", repository: "library/web" },
        ...{ tag, zarfTag, descriptor },
      }],
      manifests: [descriptor],
      blobs: [config, manifest],
    });
    this.store.records.setPackageState(digest, state);
    const record = this.store.records.getPackage(digest);
    assert.ok(record);
    return record;
  }

  /** The digest of a package's image. */
  image({ digest }: PackageRecord): Digest | undefined {
    return this.store.records.images(digest)[0]?.descriptor.digest;
  }

  /** Brings a package's images back. */
  fill(record: PackageRecord): Promise<void> {
    const images = this.store.records.images(record.digest);
    return fillRegistry(this.options, record, images, never);
  }

  /** What both tags mean in the registry. */
  get meanings(): (string | undefined)[] {
    return TAGS.map((tag) => this.registry.tags.get(`library/web:${tag}`));
  }

  /** Somebody pushes an image under both tags. */
  pushElse(content: string): string {
    const bytes = new TextEncoder().encode(content);
    this.registry.blobs.set(digestOf(bytes), bytes);
    for (const tag of TAGS) this.registry.tags.set(`library/web:${tag}`, digestOf(bytes));
    return digestOf(bytes);
  }

  async #put(text: string): Promise<{ digest: Digest; size: number }> {
    const bytes = new TextEncoder().encode(text);
    const blob = { digest: digestOf(bytes), size: bytes.length };
    await this.store.blobs.write(blob.digest, blob.size, new Blob([bytes]).stream());
    return blob;
  }
}

function staged(action: (stage: Stage) => Promise<void>): Promise<void> {
  return withDirectory(async (dir) => {
    using store = Store.open(dir);
    await using api = new ApiObjects();
    const stage = new Stage(store, api);
    await using _registry = stage.registry;
    await action(stage);
  });
}

Deno.test("an empty registry is filled under both names, and what tags meant is forgotten", () =>
  staged(async (stage) => {
    const web = await stage.take("web");
    await stage.fill(web);
    assert.deepEqual(stage.meanings, [stage.image(web), stage.image(web)]);
    assert.deepEqual(stage.forgotten.sort(), ["library/web:1", "library/web:1-zarf-7"]);
  }));

Deno.test("a tag that somebody pushed later is not taken back, and the image is there by digest", () =>
  staged(async (stage) => {
    const web = await stage.take("web");
    const later = stage.pushElse('{"laptop":true}');
    await stage.fill(web);
    assert.deepEqual(stage.meanings, [later, later]);
    assert.ok(stage.registry.tags.has(`library/web:${stage.image(web)}`));
    assert.ok(!stage.forgotten.some((name) => name === "library/web:1"));
  }));

Deno.test("of two packages with one tag the one that was deployed later has it again", async (t) => {
  const states: [state: PackageState, winner: "first" | "second"][] = [
    ["ready", "second"],
    ["failed", "first"],
    ["accepted", "first"],
  ];
  for (const [state, winner] of states) {
    for (const order of [["first", "second"], ["second", "first"]]) {
      await t.step(
        `the second is ${state}, ${order[0]} is brought back first`,
        () =>
          staged(async (stage) => {
            const records = {
              first: await stage.take("first"),
              second: await stage.take("second", state),
            };
            for (const name of order as (keyof typeof records)[]) {
              if (name === "first" || state === "ready") {
                await stage.fill(records[name]);
              }
            }
            const image = stage.image(records[winner]);
            assert.deepEqual(stage.meanings, [image, image]);
          }),
      );
    }
  }
});

Deno.test("a deployment's own push tells of each name that means its image now", () =>
  staged(async (stage) => {
    pushTarget(stage.options).onNamed("library/web:1");
    assert.deepEqual(stage.forgotten, ["library/web:1"]);
    await Promise.resolve();
  }));
