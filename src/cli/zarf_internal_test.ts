import assert from "node:assert/strict";
import { type AnyObject, ApiObjects, namespace } from "../../test/fakes/api_objects.ts";
import { status } from "../../test/fakes/api_peer.ts";
import { GiteaPeer } from "../../test/fakes/gitea_peer.ts";
import { loadState, newState, prepareGitea, saveState } from "../zarf/mod.ts";
import { zarfInternal } from "./zarf_internal.ts";

interface Site {
  readonly api: ApiObjects;
  call(...argv: string[]): Promise<{ out: string; err: string }>;
}

async function onSite(action: (site: Site) => Promise<void>): Promise<void> {
  await using api = new ApiObjects();
  api.put(namespace("zarf"));
  const call = async (...argv: string[]) => {
    const said = { out: "", err: "" };
    const terminal = {
      out: (text: string) => void (said.out += text),
      err: (text: string) => void (said.err += text),
    };
    const environment = { ZARF_VAR_GIT_SERVER_EXISTING_PVC: "data-zarf-gitea-0" };
    // The client is the test's: what ends it is not the command's to end here.
    const client = new Proxy(api.client, {
      get: (target, key) => {
        const value = Reflect.get(target, key, target);
        if (key === "close") return () => {};
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    await zarfInternal(argv, environment, terminal, () => client);
    return said;
  };
  await action({ api, call });
}

const claim = (metadata: Record<string, unknown> = {}) => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name: "data-zarf-gitea-0", namespace: "zarf", ...metadata },
} as AnyObject);

const OWNED = {
  labels: { a: "b", "app.kubernetes.io/managed-by": "Helm" },
  annotations: {
    "meta.helm.sh/release-name": "zarf-gitea",
    "meta.helm.sh/release-namespace": "zarf",
  },
};

Deno.test("without a claim Helm is to make one, and with one it becomes the release's", () =>
  onSite(async ({ api, call }) => {
    assert.deepEqual(await call("update-gitea-pvc"), { out: "true", err: "" });
    assert.deepEqual(api.writes, []);
    api.put(claim({ labels: { a: "b" } }));
    assert.deepEqual(await call("update-gitea-pvc"), { out: "false", err: "" });
    const { labels, annotations } = api.find("persistentvolumeclaims", "data-zarf-gitea-0")
      ?.metadata ?? {};
    assert.deepEqual({ labels, annotations }, OWNED);
  }));

Deno.test("a rollback takes the claim away from the release again", () =>
  onSite(async ({ api, call }) => {
    const { out, err } = await call("update-gitea-pvc", "--rollback");
    assert.equal(out, "false");
    assert.match(err, /no claim data-zarf-gitea-0/);
    api.put(claim(OWNED));
    assert.deepEqual(await call("update-gitea-pvc", "-r"), { out: "false", err: "" });
    const { labels, annotations } = api.find("persistentvolumeclaims", "data-zarf-gitea-0")
      ?.metadata ?? {};
    assert.deepEqual({ labels, annotations }, { labels: { a: "b" }, annotations: {} });
  }));

Deno.test("a claim that cannot be changed is said, and no failure", () =>
  onSite(async ({ api, call }) => {
    api.put(claim());
    api.intercept = ({ method }) => method === "PATCH" ? status(403, "Forbidden") : undefined;
    const { out, err } = await call("update-gitea-pvc");
    assert.equal(out, "false");
    assert.match(err, /the claim data-zarf-gitea-0 cannot be changed: /);
  }));

Deno.test("Gitea gets its reader, and the state its token", () =>
  onSite(async ({ api, call }) => {
    await saveState(
      api.client,
      newState({
        ...{ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" },
      }),
    );
    await prepareGitea(api.client);
    const { gitServer } = await loadState(api.client) ?? assert.fail("no state");
    await using peer = new GiteaPeer(gitServer.pushUsername, gitServer.pushPassword);
    const { hostname, port } = new URL(peer.url);
    api.put({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "zarf-gitea-http", namespace: "zarf" },
      spec: { clusterIP: "None", ports: [{ name: "http", port: 3000 }] },
    } as AnyObject);
    api.put({
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: {
        name: "g",
        namespace: "zarf",
        labels: { "kubernetes.io/service-name": "zarf-gitea-http" },
      },
      ports: [{ name: "http", port: Number(port) }],
      endpoints: [{ addresses: [hostname], conditions: { ready: true } }],
    } as AnyObject);
    await call("create-read-only-gitea-user");
    const reader = peer.users.get("zarf-git-read-user");
    assert.equal(reader?.["password"], gitServer.pullPassword);
    await call("create-artifact-registry-token");
    const { artifactServer } = await loadState(api.client) ?? assert.fail("no state");
    assert.equal(
      artifactServer.pushPassword,
      peer.tokens.get("zarf-artifact-registry-token")?.sha1,
    );
  }));

Deno.test("where packages are elsewhere no token is made", () =>
  onSite(async ({ api, call }) => {
    await saveState(
      api.client,
      newState({
        ...{ registryAddress: "127.0.0.1:31999", port: 31999, ipFamily: "ipv4" },
      }),
    );
    api.writes.length = 0;
    await call("create-artifact-registry-token");
    assert.deepEqual(api.writes, []);
  }));

for (
  const [argv, why] of [
    [["agent"], /"zarf internal agent" is not served to actions/],
    [[], /"zarf internal " is not served/],
    [["update-gitea-pvc", "--force"], /does not take "--force"/],
    [["create-read-only-gitea-user", "--rollback"], /does not take "--rollback"/],
    [["create-read-only-gitea-user"], /the cluster has no Zarf state/],
  ] as const
) {
  Deno.test(`zarf internal ${argv.join(" ")} is refused`, () =>
    onSite(async ({ api, call }) => {
      await assert.rejects(call(...argv), why);
      assert.deepEqual(api.writes, []);
    }));
}
