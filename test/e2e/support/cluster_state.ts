import assert from "node:assert/strict";
import type { Cluster, ClusterNode } from "../../cluster/mod.ts";

/** The namespaces that a deployment of the example package makes. */
const NAMESPACES = ["zarf", "hello"];
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

interface Listed {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: {
    readonly containers?: readonly { readonly image: string }[];
    readonly replicas?: number;
  };
  readonly status?: {
    readonly phase?: string;
    readonly readyReplicas?: number;
    readonly containerStatuses?: readonly { readonly ready: boolean }[];
  };
  readonly webhooks?: readonly {
    readonly name: string;
    readonly failurePolicy?: string;
    readonly clientConfig: { readonly url?: string };
  }[];
}

/**
 * What a deployment leaves in a cluster, without what is made up anew each time (credentials, names
 * of pods, times), so that two clusters can be compared.
 */
export async function clusterState(cluster: Cluster): Promise<unknown> {
  const objects = (await Promise.all(
    NAMESPACES.map((namespace) =>
      list(cluster, "deployments,services,configmaps,secrets,pods,leases", ["-n", namespace])
    ),
  )).flat();
  const global = await list(cluster, "namespaces,nodes,mutatingwebhookconfigurations");
  return {
    objects: objects.map(summary).sort(),
    cluster: global.map(summary).filter((text) => !/^Namespace (default|kube-)/.test(text)).sort(),
    record: packageRecord(objects),
    registry: await registryContent(cluster, objects),
  };
}

async function list(
  cluster: Cluster,
  kinds: string,
  args: readonly string[] = [],
): Promise<Listed[]> {
  return JSON.parse(await cluster.kubectl(["get", kinds, ...args, "-o", "json"])).items;
}

function summary({ kind, metadata, type, spec, status, webhooks }: Listed): string {
  const name = `${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
  switch (kind) {
    case "Namespace":
      return `${kind} ${metadata.name} ${JSON.stringify(metadata.labels)}`;
    case "Node":
      return `${name} ${metadata.annotations?.["holdfast.dev/seed"]}`;
    case "Secret":
      return `${name} ${type}`;
    case "Deployment":
      return `${name} ${status?.readyReplicas} of ${spec?.replicas}`;
    case "Pod": {
      const ready = status?.containerStatuses?.every((one) => one.ready);
      return `Pod ${metadata.namespace} ${spec?.containers?.[0]?.image} ${ready}`;
    }
    case "MutatingWebhookConfiguration":
      return `${name} ${
        webhooks?.map((one) => `${one.failurePolicy} ${one.clientConfig.url}`).join()
      }`;
    default:
      return name;
  }
}

/** Zarf's record of the package, without when it was made. */
function packageRecord(objects: readonly Listed[]): unknown {
  const record = JSON.parse(secretText(objects, "zarf-package-hello", "data"));
  delete record.data.build;
  return record;
}

function secretText(objects: readonly Listed[], name: string, key: string): string {
  const secret = objects.find((one) => one.kind === "Secret" && one.metadata.name === name);
  return atob(secret?.data?.[key] ?? assert.fail(`there is no Secret ${name} with ${key}`));
}

/** Every tag of the in-cluster registry with its digest, as its reader sees it. */
async function registryContent(cluster: Cluster, objects: readonly Listed[]): Promise<string[]> {
  const { registryInfo } = JSON.parse(secretText(objects, "zarf-state", "state"));
  const service = JSON.parse(
    await cluster.kubectl(["get", "service", "-n", "zarf", "zarf-docker-registry", "-o", "json"]),
  );
  const [node] = cluster.nodes;
  assert.ok(node);
  await using forward = node.forward(`${service.spec.clusterIP}:5000`);
  const authorization = `Basic ${
    btoa(`${registryInfo.pullUsername}:${registryInfo.pullPassword}`)
  }`;
  const get = (path: string) =>
    fetch(`http://${forward.address}/v2/${path}`, { headers: { authorization, accept: MANIFEST } });
  const content: string[] = [];
  const { repositories } = await (await get("_catalog")).json();
  for (const repository of repositories) {
    const { tags } = await (await get(`${repository}/tags/list`)).json();
    for (const tag of tags) {
      const response = await get(`${repository}/manifests/${tag}`);
      await response.body?.cancel();
      content.push(`${repository}:${tag} ${response.headers.get("docker-content-digest")}`);
    }
  }
  return content.sort();
}

/** Whether the node registry serves an image whole: its manifest and each blob of it. */
export async function servesImage(node: ClusterNode, repository: string, tag: string) {
  await using forward = node.forward("127.0.0.1:31999");
  const base = `http://${forward.address}/v2/${repository}`;
  const response = await fetch(`${base}/manifests/${tag}`);
  assert.equal(response.status, 200, `${repository}:${tag}`);
  const { config, layers } = await response.json();
  for (const { digest, size } of [config, ...layers]) {
    const blob = await fetch(`${base}/blobs/${digest}`);
    assert.equal((await blob.arrayBuffer()).byteLength, size, `${repository} ${digest}`);
  }
}
