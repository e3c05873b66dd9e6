import { hashSync } from "bcryptjs";
import { ensureTool, TOOLS } from "../../../../extension/build/go_tools.ts";
import { transformImage } from "../../../../src/refs/mod.ts";
import { issueCertificates, type Site } from "../../../../src/admission/mod.ts";
import { KubeClient } from "../../../../src/kube/mod.ts";
import { newState, saveState, type ZarfState } from "../../../../src/zarf/mod.ts";
import { Cluster, type ClusterNode } from "../../../cluster/mod.ts";
import { eventually } from "../agent.ts";
import { ARTIFACTS, pushArtifact } from "./artifacts.ts";
import { NAMESPACES, type SiteNames } from "./case.ts";

const REGISTRY_ADDRESS = "127.0.0.1:31999";
const SERVICE = "zarf-docker-registry.zarf.svc.cluster.local:5000";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
/** The least cost of bcrypt. */
const CHEAP = 4;
/** Milliseconds until the registry must answer. */
const START_TIMEOUT = 20_000;

/** How a site is set up. */
export type SiteKind = "internal" | "without git" | "external" | "mtls";

/** A cluster as Zarf has left it, and what Holdfast knows of the same cluster. */
export interface Scene {
  readonly cluster: Cluster;
  readonly node: ClusterNode;
  readonly names: SiteNames;
  /** Makes the cluster one of this kind; gives what Holdfast knows of it. */
  become(kind: SiteKind): Promise<Site>;
}

/** Makes a cluster into what `zarf init` leaves, with a registry that holds some artifacts. */
export async function makeScene(cluster: Cluster, kube: KubeClient): Promise<Scene> {
  const [node] = cluster.nodes;
  if (node === undefined) throw new Error("the cluster has no node");
  for (const [name, labels] of Object.entries({ zarf: {}, ...NAMESPACES })) {
    const metadata = { name, labels };
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata };
    if (name !== "kube-system") await kube.create(namespace);
  }
  const clusterAddress = await makeService(kube);
  const state = {
    ...newState({ registryAddress: REGISTRY_ADDRESS, port: 31_999, ipFamily: "ipv4" }),
    gitServer: {
      address: "http://zarf-gitea-http.zarf.svc.cluster.local:3000",
      ...{ pushUsername: "zarf-git-user", pushPassword: "push" },
      ...{ pullUsername: "zarf-git-read-user", pullPassword: "pull it" },
    },
  };
  const url = await startRegistry(node, state);
  const { gitServer } = state;
  const names = { serviceAddress: SERVICE, clusterAddress, gitAddress: gitServer.address };
  await makeClientTls(kube);
  const become = async (kind: SiteKind) => {
    const changed = stateOf(kind, state, url);
    await saveState(kube, changed);
    return siteOf(changed, names, url);
  };
  return { cluster, node, names, become };
}

async function makeService(kube: KubeClient): Promise<string> {
  const made = await kube.create({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "zarf-docker-registry", namespace: "zarf" },
    spec: { type: "NodePort", ports: [{ port: 5000, targetPort: 5000, nodePort: 31_999 }] },
  });
  const { clusterIP } = made["spec"] as unknown as { readonly clusterIP: string };
  return `${clusterIP}:5000`;
}

const CLIENT_TLS = issueCertificates();

async function makeClientTls(kube: KubeClient): Promise<void> {
  const { ca, cert, key } = CLIENT_TLS;
  const data = { "ca.crt": ca, "tls.crt": cert, "tls.key": key };
  await kube.create({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "zarf-registry-client-tls", namespace: "zarf" },
    stringData: data,
  });
}

function stateOf(kind: SiteKind, state: ZarfState, url: string): ZarfState {
  const { registryInfo } = state;
  switch (kind) {
    case "internal":
      return state;
    case "without git":
      return { ...state, gitServer: { ...state.gitServer, address: "" } };
    case "external": {
      const address = `${new URL(url).host}/team`;
      return { ...state, registryInfo: { ...registryInfo, address, registryMode: "external" } };
    }
    case "mtls":
      return {
        ...state,
        registryInfo: { ...registryInfo, registryMode: "proxy", mtlsStrategy: "zarf-managed" },
      };
  }
}

function siteOf(state: ZarfState, names: SiteNames, url: string): Site {
  const { registryInfo, gitServer } = state;
  const { address, pullUsername, pullPassword, registryMode, mtlsStrategy } = registryInfo;
  const isInternal = registryMode !== "external";
  const isMtls = mtlsStrategy !== "none";
  const reader = { pullUsername, pullPassword };
  return {
    registryAddress: address,
    registry: {
      serviceAddress: isInternal ? names.serviceAddress : address,
      ...(isInternal ? { clusterAddress: names.clusterAddress } : {}),
      isInternal,
      ...reader,
      ...(isMtls ? { clientTls: CLIENT_TLS } : {}),
    },
    ...(gitServer.address === "" ? {} : { gitServer }),
    configMediaType: async (image) => isMtls ? undefined : await askMediaType(image, url, reader),
  };
}

/** Asks the registry itself; a host that is not the registry's is asked as if it were. */
async function askMediaType(
  image: string,
  url: string,
  { pullUsername, pullPassword }: { readonly pullUsername: string; readonly pullPassword: string },
): Promise<string | undefined> {
  const [, path, reference] = /^[^/]+\/(.*?)[:@]([^/]+)$/.exec(image) ?? [];
  if (path === undefined || reference === undefined) return undefined;
  const response = await fetch(`${url}/v2/${path}/manifests/${encodeURIComponent(reference)}`, {
    headers: { authorization: basic(pullUsername, pullPassword), accept: MANIFEST },
  });
  const text = await response.text();
  return response.ok ? JSON.parse(text).config?.mediaType : undefined;
}

function basic(username: string, password: string): string {
  return `Basic ${btoa(`${username}:${password}`)}`;
}

/** Starts the real registry in the node, under the name of its Service, with all artifacts. */
async function startRegistry(node: ClusterNode, { registryInfo }: ZarfState): Promise<string> {
  const { pushUsername, pushPassword, pullUsername, pullPassword } = registryInfo;
  const users = [[pushUsername, pushPassword], [pullUsername, pullPassword]] as const;
  const lines = users.map(([user, password]) => `${user}:${hashSync(password, CHEAP)}`);
  await Deno.writeTextFile(node.hostPath("/var/tmp/htpasswd"), `${lines.join("\n")}\n`);
  await Deno.writeTextFile(node.hostPath("/var/tmp/registry.yml"), REGISTRY_CONFIG);
  const hosts = `${await node.readFile("/etc/hosts")}\n${node.ip} ${SERVICE.split(":")[0]}\n`;
  await Deno.writeTextFile(node.hostPath("/etc/hosts"), hosts);
  const registry = await node.spawn(await ensureTool(TOOLS.registry), [
    "serve",
    "/var/tmp/registry.yml",
  ], { name: "registry", env: { OTEL_TRACES_EXPORTER: "none" } });
  const url = `http://${node.ip}:5000`;
  const authorization = basic(pushUsername, pushPassword);
  await eventually(
    "registry's answer",
    async () => {
      const response = await fetch(`${url}/v2/`, { headers: { authorization } }).catch(() => null);
      await response?.body?.cancel();
      return response?.ok ? true : undefined;
    },
    START_TIMEOUT,
    () => Deno.readTextFile(registry.logPath),
  );
  for (const artifact of ARTIFACTS) {
    const image = transformImage("registry", `${artifact.repository}:${artifact.tag}`);
    const [, path = "", tag = ""] = /^registry\/(.*):(.*)$/.exec(image) ?? [];
    // Also below the prefix of the external registry.
    for (const name of [path, `team/${path}`]) {
      await pushArtifact(artifact, name, tag, { url, authorization });
    }
  }
  return url;
}

const REGISTRY_CONFIG = `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: /var/tmp/registry}}
auth: {htpasswd: {realm: test, path: /var/tmp/htpasswd}}
http: {addr: "0.0.0.0:5000"}
`;
