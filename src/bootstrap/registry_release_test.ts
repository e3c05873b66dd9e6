import assert from "node:assert/strict";
import { gunzipSync } from "node:zlib";
import { dump, loadAll } from "js-yaml";
import { ensureTool, TOOLS } from "../../extension/build/go_tools.ts";
import { ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { withDirectory } from "../../test/fakes/testing.ts";
import { newState } from "../zarf/mod.ts";
import { registrySecret } from "./registry_objects.ts";
import { ensureRegistryRelease, releaseSecret } from "./registry_release.ts";

const NOW = new Date("2026-01-02T03:04:05Z");
const USERS = "zarf-push:$2y$10$abc\nzarf-pull:$2y$10$def\n";

/** What Helm stores, as far as it matters here. */
interface Release {
  readonly info: { readonly status: string; readonly last_deployed: string };
  readonly chart: {
    readonly metadata: Record<string, unknown>;
    readonly templates: readonly { readonly name: string; readonly data: string }[];
    readonly values: Record<string, unknown>;
  };
  readonly manifest: string;
}

function releaseIn(secret: Record<string, unknown>): Release {
  const { release = "" } = secret["data"] as Record<string, string>;
  // Twice in base64: by Helm, and as every Secret.
  const bytes = Uint8Array.from(atob(atob(release)), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(gunzipSync(bytes)));
}

/** What the real helm renders of a release's chart. */
async function rendered({ chart }: Release, directory: string): Promise<unknown[]> {
  const files: Record<string, string> = {
    "Chart.yaml": dump(chart.metadata),
    "values.yaml": dump(chart.values),
    ...Object.fromEntries(chart.templates.map(({ name, data }) => [name, atob(data)])),
  };
  await Deno.mkdir(`${directory}/templates`);
  for (const [path, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${directory}/${path}`, text);
  }
  const { success, stdout, stderr } = await new Deno.Command(await ensureTool(TOOLS.helm), {
    args: ["template", "zarf-docker-registry", directory, "--namespace=zarf"],
    env: { HOME: directory },
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return loadAll(new TextDecoder().decode(stdout));
}

Deno.test("the release's chart renders what the release says is there, but for the mark", () =>
  withDirectory(async (directory) => {
    const release = releaseIn(releaseSecret(USERS, NOW));
    assert.equal(release.info.status, "deployed");
    const MARK = /holdfast\.dev\/users":"[0-9a-f]*"/;
    const objects = JSON.stringify(await rendered(release, directory));
    assert.match(objects, /holdfast\.dev\/users":"[0-9a-f]{64}"/);
    assert.equal(
      objects.replace(MARK, 'holdfast.dev/users":""'),
      JSON.stringify(loadAll(release.manifest)),
    );
    const [secret] = loadAll(release.manifest) as { data: Record<string, string> }[];
    assert.equal(atob(secret?.data["htpasswd"] ?? ""), USERS);
  }));

async function withApi(action: (api: ApiObjects) => Promise<void>): Promise<void> {
  await using api = new ApiObjects();
  api.put(namespace("zarf"));
  await action(api);
}

const WRITTEN = "PATCH secrets/sh.helm.release.v1.zarf-docker-registry.v1";

Deno.test("the release is made once, of the users that the registry has", () =>
  withApi(async (api) => {
    const state = newState({ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" });
    await api.client.apply(registrySecret(state), { force: true });
    api.writes.length = 0;
    await ensureRegistryRelease(api.client, NOW);
    assert.deepEqual(api.writes, [WRITTEN]);
    const secret = api.find("secrets", "sh.helm.release.v1.zarf-docker-registry.v1");
    assert(secret);
    assert.match(releaseIn(secret).manifest, /^ {2}htpasswd: [A-Za-z0-9+/=]{100,}$/m);
    await ensureRegistryRelease(api.client, NOW);
    assert.deepEqual(api.writes, [WRITTEN]);
  }));

Deno.test("a release of Helm's own stays, whatever its revision", () =>
  withApi(async (api) => {
    const release = releaseSecret(USERS, NOW);
    release.metadata.name = "sh.helm.release.v1.zarf-docker-registry.v7";
    api.put(release);
    await ensureRegistryRelease(api.client, NOW);
    assert.deepEqual(api.writes, []);
  }));

Deno.test("without a registry's users there is no release", () =>
  withApi(async (api) => {
    await ensureRegistryRelease(api.client, NOW);
    assert.deepEqual(api.writes, []);
  }));
