import type { KubeClient } from "../kube/mod.ts";
import {
  AGENT_LABEL,
  applySecret,
  MANAGED_BY_LABEL,
  MANAGED_BY_ZARF,
  missingPullSecrets,
  type RegistryService,
  type SecretManifest,
  siteAccessOf,
  type ZarfState,
} from "../zarf/mod.ts";
import type { PostRendered } from "./post_render.ts";
import type { Manifest } from "./yaml.ts";

/** Where pods can pull from. */
export interface NamespaceContext {
  readonly kube: KubeClient;
  readonly state: ZarfState;
  /** The Service that the registry is, for pods and controllers; absent where it is none. */
  readonly registryService?: RegistryService;
  /** Whether images are renamed, so that pods need to sign in. @default true */
  readonly pullSecrets?: boolean;
}

/**
 * The namespaces that a chart needs, with the Namespace object that it brings, if it does: the
 * release's, those its objects name, and those it defines.
 */
export function namespacesOf(
  rendered: Pick<PostRendered, "objects" | "namespaces">,
  releaseNamespace: string,
): Map<string, Manifest | undefined> {
  const needed = new Map<string, Manifest | undefined>([[releaseNamespace, undefined]]);
  for (const { metadata } of rendered.objects) {
    if (metadata.namespace) needed.set(metadata.namespace, undefined);
  }
  for (const namespace of rendered.namespaces) needed.set(namespace.metadata.name, namespace);
  return needed;
}

/**
 * Creates the namespaces that are missing, with Zarf's labels, and makes sure that pods in all of
 * them can pull: the first of them may be there before the agents see that there is a namespace. A
 * namespace that exists is left as it is (Zarf 0.84, helm/post-render.go adoptAndUpdateNamespaces).
 */
export async function ensureNamespaces(
  needed: ReadonlyMap<string, Manifest | undefined>,
  context: NamespaceContext,
): Promise<void> {
  for (const [name, manifest] of needed) {
    const { namespace, secrets } = await missingOf(name, manifest, context);
    if (namespace !== undefined) await context.kube.apply(namespace, { force: true });
    for (const secret of secrets) await applySecret(context.kube, secret);
  }
}

/** What {@linkcode ensureNamespaces} makes for one namespace; it writes nothing itself. */
export interface MissingInNamespace {
  /** Undefined when it is there. */
  readonly namespace: ReturnType<typeof managedNamespace> | undefined;
  readonly secrets: readonly SecretManifest[];
}

/** Finds out what a namespace lacks. */
export async function missingOf(
  name: string,
  manifest: Manifest | undefined,
  { kube, state, registryService, pullSecrets = true }: NamespaceContext,
): Promise<MissingInNamespace> {
  const found = await kube.get({ apiVersion: "v1", kind: "Namespace", name });
  return {
    namespace: found === undefined ? managedNamespace(name, manifest) : undefined,
    secrets: pullSecrets
      ? await missingPullSecrets(kube, name, siteAccessOf(state, registryService))
      : [],
  };
}

/** A new namespace: the chart's own labels, then Zarf's, whose agent mutates it unless it says no. */
export function managedNamespace(name: string, manifest: Manifest | undefined) {
  const metadata = manifest?.metadata;
  const labels = {
    [AGENT_LABEL]: "mutate",
    ...textsOf(metadata?.labels),
    [MANAGED_BY_LABEL]: MANAGED_BY_ZARF,
  };
  const annotations = textsOf(metadata?.annotations);
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name,
      labels,
      ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
    },
  };
}

function textsOf(map: Readonly<Record<string, unknown>> | null | undefined) {
  return Object.fromEntries(
    Object.entries(map ?? {}).map(([key, value]) => [key, String(value)]),
  );
}
