import { isDeepStrictEqual } from "node:util";
import * as v from "valibot";
import {
  type CallOptions,
  type KubeClient,
  KubeError,
  type KubeObject,
  type ObjectRef,
} from "../kube/mod.ts";
import {
  encodeBase64,
  ensureZarfNamespace,
  loadState,
  MANAGED_BY_LABEL,
  REGISTRY_SERVICE,
  serializeState,
  STATE_SECRET,
  ZARF_NAMESPACE,
  type ZarfState,
  ZarfStateSchema,
} from "../zarf/mod.ts";
import { NODE_STATE_SECRET, NODES_GROUP, RIGHTS_NAME } from "./names.ts";

/** What agents with node rights may do: `deploy` makes them administrators. */
export const WORKER_RIGHTS = ["deploy", "serve"] as const;
/** One of {@linkcode WORKER_RIGHTS}. */
export type WorkerRights = typeof WORKER_RIGHTS[number];

const RBAC = "rbac.authorization.k8s.io";
const LABELS = { [MANAGED_BY_LABEL]: "holdfast" };
const SUBJECTS = [{ apiGroup: RBAC, kind: "Group", name: NODES_GROUP }];
const ROLE_META = { name: RIGHTS_NAME, namespace: ZARF_NAMESPACE, labels: LABELS };

/** What serving takes; docs/rights.md says what each is for. */
const ROLE = {
  apiVersion: `${RBAC}/v1`,
  kind: "Role",
  metadata: ROLE_META,
  rules: [
    only("", "secrets", NODE_STATE_SECRET, ["get", "list", "watch"]),
    only("", "services", REGISTRY_SERVICE, ["get", "list", "watch"]),
    only("apps", "deployments", REGISTRY_SERVICE, ["get"]),
    // The chunks of the registry's image have a number in their names.
    { apiGroups: [""], resources: ["configmaps"], verbs: ["get", "list", "watch"] },
  ],
};
const ROLE_BINDING = {
  apiVersion: `${RBAC}/v1`,
  kind: "RoleBinding",
  metadata: ROLE_META,
  roleRef: { apiGroup: RBAC, kind: "Role", name: RIGHTS_NAME },
  subjects: SUBJECTS,
};
/** What deploying takes: a package may hold anything. */
const DEPLOY_BINDING = {
  apiVersion: `${RBAC}/v1`,
  kind: "ClusterRoleBinding",
  metadata: { name: RIGHTS_NAME, labels: LABELS },
  roleRef: { apiGroup: RBAC, kind: "ClusterRole", name: "cluster-admin" },
  subjects: SUBJECTS,
};

function only(group: string, resource: string, name: string, verbs: string[]) {
  return { apiGroups: [group], resources: [resource], resourceNames: [name], verbs };
}

/** Keeps the rights of the group of agents as they should be; an administrator's agent runs it. */
export class NodeRights {
  readonly #kube: KubeClient;
  readonly #rights: WorkerRights;

  constructor(kube: KubeClient, rights: WorkerRights) {
    this.#kube = kube;
    this.#rights = rights;
  }

  /** Makes everything be there, before the first agent is given a certificate. */
  async ensure(options: CallOptions = {}): Promise<void> {
    await ensureZarfNamespace(this.#kube);
    await this.#ensure(ROLE, options);
    await this.#ensure(ROLE_BINDING, options);
    if (this.#rights === "deploy") await this.#ensure(DEPLOY_BINDING, options);
    else await this.#withdrawDeploying(options);
    await this.#publishState(options);
  }

  /** The same where an agent was given a certificate before; a cluster without stays as it is. */
  async keep(options: CallOptions = {}): Promise<void> {
    if (await this.#kube.get(refOf(ROLE), options) !== undefined) await this.ensure(options);
  }

  /** Of the state what readers need: a worker that was taken over must not push images. */
  async #publishState(options: CallOptions): Promise<void> {
    const state = await loadState(this.#kube);
    if (state === undefined) return;
    await this.#ensure({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: NODE_STATE_SECRET, namespace: ZARF_NAMESPACE, labels: LABELS },
      type: "Opaque",
      data: { state: encodeBase64(serializeState(readersPart(state))) },
    }, options);
  }

  async #withdrawDeploying(options: CallOptions): Promise<void> {
    const ref = refOf(DEPLOY_BINDING);
    if (await this.#kube.get(ref, options) !== undefined) await this.#kube.delete(ref, options);
  }

  /** Writes only what differs. */
  async #ensure(wanted: KubeObject, options: CallOptions): Promise<void> {
    const actual = await this.#kube.get(refOf(wanted), options);
    const { apiVersion: _, kind: __, metadata: ___, ...content } = wanted;
    const isSo = actual !== undefined &&
      Object.entries(content).every(([key, value]) => isDeepStrictEqual(actual[key], value));
    if (!isSo) await this.#kube.apply(wanted, { ...options, force: true });
  }
}

/** The state without what lets anybody write anywhere, and without the git server. */
export function readersPart({ registryInfo, agentMutationPolicy }: ZarfState): ZarfState {
  const { address, pullUsername, pullPassword, nodePort, port } = registryInfo;
  const { registryMode, mtlsStrategy } = registryInfo;
  return v.parse(ZarfStateSchema, {
    agentMutationPolicy,
    registryInfo: {
      ...{ address, pullUsername, pullPassword, nodePort, port },
      ...(registryMode === undefined ? {} : { registryMode }),
      ...(mtlsStrategy === undefined ? {} : { mtlsStrategy }),
    },
  });
}

/**
 * Whether this client may deploy: it may read the state, which serving does not take. A read, because
 * asking for a review would be a write for each look.
 */
export async function mayDeploy(kube: KubeClient, options: CallOptions = {}): Promise<boolean> {
  try {
    await kube.get({ ...STATE_REF, name: STATE_SECRET }, options);
    return true;
  } catch (error) {
    if (error instanceof KubeError && error.reason === "Forbidden") return false;
    throw error;
  }
}

const STATE_REF = { apiVersion: "v1", kind: "Secret", namespace: ZARF_NAMESPACE };

function refOf({ apiVersion, kind, metadata }: KubeObject): ObjectRef {
  const { name = "", namespace } = metadata;
  return { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) };
}
