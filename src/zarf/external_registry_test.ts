import assert from "node:assert/strict";
import { ApiObjects } from "../../test/fakes/api_objects.ts";
import {
  SITE_USER,
  siteCertificate,
  SiteRegistry,
  type SiteRegistryOptions,
} from "../../test/fakes/site_registry.ts";
import { TestClock, withDirectory } from "../../test/fakes/testing.ts";
import { type Digest, digestOf } from "../std/mod.ts";
import { externalRegistry } from "./external_registry.ts";
import { ZarfError } from "./errors.ts";
import { pushImages } from "./registry_push.ts";
import { newState, type ZarfState } from "./state.ts";

function stateOf(address: string, more: Partial<ZarfState["registryInfo"]> = {}): ZarfState {
  const state = newState({ registryAddress: address, port: 0, ipFamily: "ipv4" });
  const { username: pushUsername, password: pushPassword } = SITE_USER;
  const info = { registryMode: "external", pushUsername, pushPassword, ...more };
  return { ...state, registryInfo: { ...state.registryInfo, ...info } };
}

/** Runs with a registry whose certificate the machine trusts, or with one without. */
async function withRegistry(
  options: Omit<SiteRegistryOptions, "tls"> & {
    readonly tls?: boolean;
    readonly trusted?: boolean;
  },
  action: (registry: SiteRegistry, api: ApiObjects) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const { tls = false, trusted = true, ...rest } = options;
    const certificate = tls ? await siteCertificate(directory) : undefined;
    if (certificate && trusted) Deno.env.set("SSL_CERT_FILE", certificate.authority);
    try {
      await using registry = new SiteRegistry({
        ...rest,
        ...(certificate === undefined ? {} : { tls: certificate }),
      });
      await using api = new ApiObjects();
      await action(registry, api);
    } finally {
      Deno.env.delete("SSL_CERT_FILE");
    }
  });
}

const ROWS: [name: string, options: Parameters<typeof withRegistry>[0], scheme: string][] = [
  ["TLS", { tls: true }, "https"],
  ["plain HTTP on this machine", {}, "http"],
  ["TLS, with tokens", { tls: true, tokens: 100 }, "https"],
  ["plain HTTP, with tokens", { tokens: 100 }, "http"],
];
for (const [name, options, scheme] of ROWS) {
  Deno.test(`a registry that speaks ${name} is found, and images go below its path`, () =>
    withRegistry(options, async (registry, api) => {
      const state = stateOf(`${registry.address}/team/a`);
      const { url, service } = await externalRegistry(api.client, state);
      assert.deepEqual([url, service], [`${scheme}://${registry.address}/team/a`, undefined]);
      await push(url);
      assert.deepEqual([...registry.put.keys()].sort(), [
        `team/a/library/app/blobs/${CONFIG}`,
        "team/a/library/app/manifests/1",
        `team/a/other/blobs/${CONFIG}`,
        "team/a/other/manifests/1",
      ]);
      assert.equal(registry.put.get("team/a/other/manifests/1"), IMAGE);
      for (const name of ["library/app", "other"].filter(() => options.tokens !== undefined)) {
        const own = registry.asked.filter((scope) => scope.includes(`${name}:pull,push`));
        // A mount asks for the right to read there, too.
        assert(own.length <= 2, own.join("\n"));
      }
    }));
}

const text = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const CONFIG_BYTES = text({ architecture: "amd64" });
const CONFIG: Digest = digestOf(CONFIG_BYTES);
const MANIFEST_BYTES = text({
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  config: { digest: CONFIG, size: CONFIG_BYTES.length },
  layers: [],
});
const IMAGE: Digest = digestOf(MANIFEST_BYTES);

async function push(registryUrl: string): Promise<void> {
  const images = ["library/app", "other"]
    .map((repository) => ({ repository, tags: ["1"], digest: IMAGE }));
  const stream = () => new Blob([CONFIG_BYTES]).stream();
  await pushImages(images, {
    registryUrl,
    credentials: SITE_USER,
    clock: new TestClock(),
    source: {
      manifestBytes: () => Promise.resolve(MANIFEST_BYTES),
      openBlob: () => Promise.resolve({ size: CONFIG_BYTES.length, stream }),
    },
  });
}

Deno.test("a token that has run out in the middle of a push is replaced", () =>
  withRegistry({ tokens: 2 }, async (registry, api) => {
    const { url } = await externalRegistry(api.client, stateOf(registry.address));
    await push(url);
    assert.equal(registry.put.get("other/manifests/1"), IMAGE);
    assert(registry.asked.length > 3, registry.asked.join("\n"));
  }));

Deno.test("a certificate that nobody vouches for is refused, and plain HTTP not tried", () =>
  withRegistry({ tls: true, trusted: false }, async (registry, api) => {
    await assert.rejects(externalRegistry(api.client, stateOf(registry.address)), (error) => {
      assert(error instanceof ZarfError && error.cause instanceof Error);
      assert.equal(error.reason, "RegistryUnavailable");
      assert.match(error.cause.message, /certificate/);
      return true;
    });
    assert.equal(registry.turnedAway, 0);
  }));

for (const [name, tokens] of [["a password", undefined], ["a token", 9]] as const) {
  Deno.test(`whoever is not let in with ${name} is told so, and never the password`, () =>
    withRegistry(tokens === undefined ? {} : { tokens }, async (registry, api) => {
      const state = stateOf(registry.address, { pushPassword: "another" });
      await assert.rejects(externalRegistry(api.client, state), (error) => {
        assert(error instanceof ZarfError);
        assert.equal(error.disposition, "retry");
        const said = `${error.message} ${error.cause}`;
        assert.match(said, /does not let site-push in \(401\)|answered 403/);
        assert(!said.includes("another"), said);
        return true;
      });
    }));
}

Deno.test("what is no registry is none", async () => {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    () => new Response("", { status: 404 }),
  );
  await using api = new ApiObjects();
  try {
    const state = stateOf(`127.0.0.1:${server.addr.port}`);
    await assert.rejects(externalRegistry(api.client, state), /is no registry: the status is 404/);
  } finally {
    await server.shutdown();
  }
});

Deno.test("an address that means a node port leads to its Service", () =>
  withRegistry({}, async (registry, api) => {
    const [clusterIP = "", port = ""] = registry.address.split(":");
    api.put({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "harbor", namespace: "site" },
      spec: { type: "NodePort", clusterIP, ports: [{ port: Number(port), nodePort: 30_500 }] },
    });
    const found = await externalRegistry(api.client, stateOf("127.0.0.1:30500/x"));
    assert.equal(found.url, `http://${registry.address}/x`);
    assert.equal(found.service?.address, `harbor.site.svc.cluster.local:${port}`);
  }));

/** Zarf's own (src/internal/dns/dns_test.go), and more. */
