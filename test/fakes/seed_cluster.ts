/**
 * What a cluster's own controllers and kubelets do while the registry is brought up, as far as the
 * agent sees it: namespaces get a ServiceAccount, Services an address, Deployments a pod.
 *
 * @module
 */
import { manifestBlobs, rememberSeed, type Seed } from "../../src/bootstrap/mod.ts";
import type { KubeObject } from "../../src/kube/mod.ts";
import { digestOf } from "../../src/std/mod.ts";
import type { Store } from "../../src/store/mod.ts";
import { parseState } from "../../src/zarf/mod.ts";
import { type AnyObject, ApiObjects } from "./api_objects.ts";
import { RegistryPeer } from "./registry_peer.ts";

const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** Bytes that do not compress and are the same in every run. */
export function noise(size: number, seed = 1): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let state = seed;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}

/** Puts an image `docker.io/library/registry:3` of one layer into the store, as the seed. */
export async function seedIn(store: Store, layer: Uint8Array = noise(1_300_000)): Promise<Seed> {
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const add = async (bytes: Uint8Array) => {
    const digest = digestOf(bytes);
    await store.blobs.write(digest, bytes.length, once(bytes));
    return { digest, size: bytes.length };
  };
  const config = await add(text({ architecture: "amd64", os: "linux" }));
  const layers = [await add(layer)];
  const manifest = await add(text({ schemaVersion: 2, mediaType: MANIFEST_TYPE, config, layers }));
  const descriptor = { mediaType: MANIFEST_TYPE, ...manifest };
  const seed: Seed = {
    image: {
      host: "docker.io",
      repository: "library/registry",
      tag: "3",
      zarfTag: "3-zarf-1770216128",
      descriptor,
    },
    blobs: manifestBlobs(store, descriptor),
  };
  rememberSeed(store, seed);
  return seed;
}

/** A Node that is Ready, or not. */
export function node(name: string, ready = true): KubeObject {
  const conditions = [{ type: "Ready", status: ready ? "True" : "False" }];
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name },
    status: { conditions },
  } as KubeObject;
}

/** An API server and a registry that comes up once it is deployed. */
export class SeedCluster implements AsyncDisposable {
  readonly api = new ApiObjects();
  readonly registry = new RegistryPeer();
  /** Whether a Deployment becomes a pod. */
  starts = true;

  constructor() {
    this.registry.users = () => this.#users();
    this.api.onChange = (object, type) => {
      if (type === "DELETED") return;
      if (object.kind === "Namespace") this.#account(object.metadata.name ?? "");
      if (object.kind === "Service") this.#address(object);
      if (object.kind === "Deployment" && this.starts) this.registry.up = true;
    };
  }

  /** Everything that a bootstrap makes, by kind and name. */
  names(): string[] {
    return ["configmaps", "deployments", "secrets", "services"]
      .flatMap((plural) => this.api.all(plural).map((one) => `${plural}/${one.metadata.name}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry[Symbol.asyncDispose]();
    await this.api[Symbol.asyncDispose]();
  }

  #account(namespace: string): void {
    this.api.put({
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "default", namespace },
    });
  }

  #address(service: AnyObject): void {
    if (service.spec?.clusterIP !== undefined) return;
    this.api.put(
      { ...service, spec: { ...service.spec, clusterIP: this.registry.ip } } as AnyObject,
    );
  }

  #users(): string[] {
    const encoded = this.api.find("secrets", "zarf-state")?.data?.state;
    if (encoded === undefined) return [];
    const { registryInfo } = parseState(atob(encoded));
    const { pushUsername, pushPassword, pullUsername, pullPassword } = registryInfo;
    return [`${pushUsername}:${pushPassword}`, `${pullUsername}:${pullPassword}`];
  }
}
