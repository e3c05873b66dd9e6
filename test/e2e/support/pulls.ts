/**
 * Pulls and pushes that go on while something else happens.
 *
 * @module
 */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import type { KubeClient } from "../../../src/kube/mod.ts";
import { type Digest, digestOf } from "../../../src/std/mod.ts";
import { loadState, pushImages } from "../../../src/zarf/mod.ts";
import type { ClusterNode } from "../../cluster/mod.ts";

/** Milliseconds between two pulls. */
const PAUSE = 50;
/** How long one request may take, in milliseconds: less than containerd's patience. */
const TIMEOUT = 25_000;

/** One client that pulls an image from a node's registry again and again, whole, as containerd does. */
export class Pulls implements AsyncDisposable {
  done = 0;
  readonly failures: string[] = [];
  /** The longest one, in milliseconds. */
  slowest = 0;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(node: ClusterNode, repository: string, tag: string) {
    this.#running = this.#run(node, repository, tag);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(node: ClusterNode, repository: string, tag: string): Promise<void> {
    await using forward = node.forward("127.0.0.1:31999");
    const base = `http://${forward.address}/v2/${repository}`;
    while (!this.#stop.signal.aborted) {
      const started = performance.now();
      try {
        await pull(base, tag);
        this.done++;
      } catch (error) {
        this.failures.push(`${node.name} ${new Date().toISOString()} ${error}`);
      }
      this.slowest = Math.max(this.slowest, performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
  }
}

async function pull(base: string, tag: string): Promise<void> {
  const manifest = await get(`${base}/manifests/${tag}`);
  const { config, layers } = await manifest.json();
  for (const { digest } of [config, ...layers]) {
    const response = await get(`${base}/blobs/${digest}`);
    const hash = createHash("sha256");
    for await (const chunk of response.body ?? []) hash.update(chunk);
    const found = `sha256:${hash.digest("hex")}`;
    if (found !== digest) throw new Error(`${digest} came as ${found}`);
  }
}

async function get(url: string): Promise<Response> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT) });
  if (response.status === 200) return response;
  throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
}

/** Somebody who pushes small images into the in-cluster registry, one after the other. */
export class Pushes implements AsyncDisposable {
  done = 0;
  readonly failures: string[] = [];
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  /** @param address of the registry as it is reached from the test */
  constructor(address: string, kube: KubeClient) {
    this.#running = this.#run(address, kube);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(address: string, kube: KubeClient): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await pushFromOutside(address, kube, "laptop/pushed", 10_000);
        this.done++;
      } catch (error) {
        this.failures.push(`${new Date().toISOString()} ${error}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 2 * PAUSE));
    }
  }
}

/** Pushes an image with tag `1` that no node's store has, as `zarf` from a laptop would. */
export async function pushFromOutside(
  address: string,
  kube: KubeClient,
  repository: string,
  layerBytes: number,
): Promise<void> {
  const content = new Map<Digest, Uint8Array<ArrayBuffer>>();
  const add = (bytes: Uint8Array<ArrayBuffer>) => {
    const digest = digestOf(bytes);
    content.set(digest, bytes);
    return { digest, size: bytes.length };
  };
  const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const layer = add(new Uint8Array(randomBytes(layerBytes)));
  const config = add(text({ architecture: "amd64", os: "linux" }));
  const manifest = add(text({
    ...{ schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json" },
    config: { mediaType: "application/vnd.oci.image.config.v1+json", ...config },
    layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", ...layer }],
  }));
  const bytesOf = (digest: Digest) => content.get(digest) ?? assert.fail(digest);
  const { registryInfo } = await loadState(kube) ?? assert.fail("there is no state");
  await pushImages([{ repository, tags: ["1"], digest: manifest.digest }], {
    registryUrl: `http://${address}`,
    credentials: {
      username: registryInfo.pushUsername,
      password: registryInfo.pushPassword,
    },
    source: {
      manifestBytes: (digest) => Promise.resolve(bytesOf(digest)),
      openBlob: (digest) => {
        const bytes = bytesOf(digest);
        return Promise.resolve({ size: bytes.length, stream: () => new Blob([bytes]).stream() });
      },
    },
  });
}
