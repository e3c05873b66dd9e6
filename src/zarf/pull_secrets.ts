import * as v from "valibot";
import type { CallOptions, KubeClient } from "../kube/mod.ts";
import { encodeBase64 } from "./base64.ts";
import type { ClientTls } from "./client_tls.ts";
import {
  AGENT_LABEL,
  CLIENT_TLS_SECRET,
  GIT_SECRET,
  MANAGED_BY_LABEL,
  MANAGED_BY_ZARF,
  PULL_SECRET,
  ZARF_NAMESPACE,
} from "./names.ts";
import { hasLabels } from "./objects.ts";
import type { MutationPolicy, SiteAccess } from "./site_access.ts";

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

const NamespaceSchema = v.object({
  metadata: v.object({
    name: v.string(),
    deletionTimestamp: v.optional(v.unknown()),
    labels: v.optional(v.record(v.string(), v.string()), {}),
  }),
});

/**
 * Whether objects in a namespace may be mutated, so that it needs the {@linkcode pullSecrets}: not in
 * `kube-system`, not where the namespace says `ignore` or `skip`, and under policy `labeled` only
 * where it says `mutate` (Zarf 0.84, src/internal/agent/operations/mutate.go). Objects that ask for it
 * themselves in a namespace that does not are not looked for. In a namespace that ends nothing can be
 * made any more.
 */
export function needsPullSecrets(namespace: unknown, policy: MutationPolicy): boolean {
  const parsed = v.safeParse(NamespaceSchema, namespace);
  if (!parsed.success) return false;
  const { name, deletionTimestamp, labels } = parsed.output.metadata;
  if (name === "kube-system" || deletionTimestamp !== undefined) return false;
  const wish = labels[AGENT_LABEL];
  return policy === "labeled" ? wish === "mutate" : wish !== "ignore" && wish !== "skip";
}

/**
 * Makes sure that pods in `namespace` can pull, and GitOps controllers can read. It writes only what
 * is missing or different. The namespace must exist.
 */
export async function ensurePullSecrets(
  kube: KubeClient,
  namespace: string,
  access: SiteAccess,
): Promise<void> {
  for (const secret of await missingPullSecrets(kube, namespace, access)) {
    await applySecret(kube, secret);
  }
}

/** Those of the {@linkcode pullSecrets} that are missing in `namespace`, or are not as they should be. */
export async function missingPullSecrets(
  kube: KubeClient,
  namespace: string,
  access: SiteAccess,
): Promise<SecretManifest[]> {
  const missing: SecretManifest[] = [];
  for (const secret of pullSecrets(namespace, access)) {
    const { name } = secret.metadata;
    const found = await kube.get({ apiVersion: "v1", kind: "Secret", namespace, name });
    if (!holdsSecret(found, secret)) missing.push(secret);
  }
  return missing;
}

/**
 * Writes one of the {@linkcode pullSecrets}. Whoever else owns its fields loses them, as to Zarf
 * (Zarf 0.84, helm/post-render.go); keys that others added stay.
 */
export async function applySecret(
  kube: KubeClient,
  secret: SecretManifest,
  options: CallOptions = {},
): Promise<void> {
  await kube.apply({ ...secret }, { ...options, force: true });
}

/**
 * The Secrets that objects in `namespace` need once they were mutated (Zarf 0.84,
 * src/pkg/cluster/secrets.go and helm/post-render.go): the registry's if there is a registry, the git
 * server's if there is one, and the client certificate where the registry asks for it. Namespace
 * `zarf` has the certificate from Zarf itself.
 */
export function pullSecrets(
  namespace: string,
  access: SiteAccess,
  clientTls?: ClientTls,
): SecretManifest[] {
  const secrets: SecretManifest[] = [];
  const add = (name: string, type: string, data: Readonly<Record<string, string>>) =>
    secrets.push(secret(namespace, name, type, data));
  if (access.registryAddress !== "") {
    add(PULL_SECRET, "kubernetes.io/dockerconfigjson", {
      ".dockerconfigjson": dockerConfig(access),
    });
  }
  if (access.gitServer !== undefined) {
    add(GIT_SECRET, "Opaque", {
      username: access.gitServer.pullUsername,
      password: access.gitServer.pullPassword,
    });
  }
  if (access.registry.usesMtls && clientTls !== undefined && namespace !== ZARF_NAMESPACE) {
    const { ca, cert, key } = clientTls;
    add(CLIENT_TLS_SECRET, "kubernetes.io/tls", { "ca.crt": ca, "tls.crt": cert, "tls.key": key });
  }
  return secrets;
}

function dockerConfig({ registryAddress, registry }: SiteAccess): string {
  const hosts = [registryAddress];
  if (registry.clusterAddress !== undefined) {
    hosts.push(registry.serviceAddress, registry.clusterAddress);
  }
  const auth = encodeBase64(`${registry.pullUsername}:${registry.pullPassword}`);
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

/**
 * Whether a Secret read from the API server is there and holds what it should. Keys that others added
 * do no harm, and an apply would not take them away.
 */
export function holdsSecret(found: unknown, wanted: SecretManifest): boolean {
  const parsed = v.safeParse(SecretSchema, found);
  return parsed.success && parsed.output.type === wanted.type &&
    Object.entries(wanted.data).every(([key, value]) => parsed.output.data[key] === value) &&
    hasLabels(found, wanted.metadata.labels);
}
