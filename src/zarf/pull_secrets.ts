import * as v from "valibot";
import type { KubeClient } from "../kube/mod.ts";
import { encodeBase64 } from "./base64.ts";
import {
  GIT_SECRET,
  MANAGED_BY_LABEL,
  MANAGED_BY_ZARF,
  PULL_SECRET,
  REGISTRY_PORT,
  REGISTRY_SERVICE,
  ZARF_NAMESPACE,
} from "./names.ts";
import { hasLabels } from "./objects.ts";
import { hasGitServer, type ZarfState } from "./state.ts";

/** The Secrets of one namespace, in the shape that Zarf gives them. */
export interface SecretManifest {
  readonly apiVersion: "v1";
  readonly kind: "Secret";
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly type: string;
  /** Base64. */
  readonly data: Readonly<Record<string, string>>;
}

/**
 * Makes sure that pods in `namespace` can pull, and GitOps controllers can read. It writes only what
 * is missing or different. The namespace must exist.
 *
 * @param options.clusterIP of Service `zarf-docker-registry`; without it the Secret names only the
 * node address and the Service's DNS name.
 */
export async function ensurePullSecrets(
  kube: KubeClient,
  namespace: string,
  state: ZarfState,
  options: { readonly clusterIP?: string } = {},
): Promise<void> {
  for (const secret of pullSecrets(namespace, state, options.clusterIP)) {
    const { name } = secret.metadata;
    const found = await kube.get({ apiVersion: "v1", kind: "Secret", namespace, name });
    if (!isSame(found, secret)) await kube.apply({ ...secret }, { force: true });
  }
}

/** The Secrets that {@linkcode ensurePullSecrets} writes (Zarf 0.84, src/pkg/cluster/secrets.go). */
export function pullSecrets(
  namespace: string,
  state: ZarfState,
  clusterIP?: string,
): SecretManifest[] {
  const secrets = [secret(namespace, PULL_SECRET, "kubernetes.io/dockerconfigjson", {
    ".dockerconfigjson": dockerConfig(state, clusterIP),
  })];
  if (hasGitServer(state)) {
    secrets.push(secret(namespace, GIT_SECRET, "Opaque", {
      username: state.gitServer.pullUsername,
      password: state.gitServer.pullPassword,
    }));
  }
  return secrets;
}

function dockerConfig(state: ZarfState, clusterIP: string | undefined): string {
  const { address, pullUsername, pullPassword } = state.registryInfo;
  const hosts = [
    address,
    `${REGISTRY_SERVICE}.${ZARF_NAMESPACE}.svc.cluster.local:${REGISTRY_PORT}`,
  ];
  if (clusterIP !== undefined) {
    const host = clusterIP.includes(":") ? `[${clusterIP}]` : clusterIP;
    hosts.push(`${host}:${REGISTRY_PORT}`);
  }
  const auth = encodeBase64(`${pullUsername}:${pullPassword}`);
  // Go marshals maps in key order; the same order makes the Secrets equal byte for byte.
  return JSON.stringify({
    auths: Object.fromEntries(hosts.sort().map((host) => [host, { auth }])),
  });
}

function secret(
  namespace: string,
  name: string,
  type: string,
  data: Readonly<Record<string, string>>,
): SecretManifest {
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, labels: { [MANAGED_BY_LABEL]: MANAGED_BY_ZARF } },
    type,
    data: Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, encodeBase64(value)]),
    ),
  };
}

const SecretSchema = v.looseObject({
  type: v.string(),
  data: v.record(v.string(), v.string()),
});

function isSame(found: unknown, wanted: SecretManifest): boolean {
  const parsed = v.safeParse(SecretSchema, found);
  if (!parsed.success || parsed.output.type !== wanted.type) return false;
  const entries = Object.entries(wanted.data);
  return Object.keys(parsed.output.data).length === entries.length &&
    entries.every(([key, value]) => parsed.output.data[key] === value) &&
    hasLabels(found, wanted.metadata.labels);
}
