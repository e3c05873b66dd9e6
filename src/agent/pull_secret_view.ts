import type { KubeObject, Snapshot } from "../kube/mod.ts";
import {
  CLIENT_TLS_SECRET,
  GIT_SECRET,
  holdsSecret,
  needsPullSecrets,
  PULL_SECRET,
  pullSecrets,
  type SecretManifest,
  ZARF_NAMESPACE,
} from "../zarf/mod.ts";
import type { Facts } from "./cluster_facts.ts";

/** The names of all Secrets that are kept. */
export const PULL_SECRETS = [PULL_SECRET, GIT_SECRET, CLIENT_TLS_SECRET] as const;

/** One of {@linkcode PULL_SECRETS}. */
export type PullSecretName = (typeof PULL_SECRETS)[number];

/**
 * What the cluster has of pull secrets against what it should have. Each object is judged once, as
 * long as it does not change: there may be thousands, and every change of one asks again.
 */
export class PullSecretView {
  readonly #secrets = new Map<string, Snapshot>();
  #namespaces: Snapshot | undefined;
  #facts: Facts | undefined;
  #judged = new WeakMap<KubeObject, boolean>();

  /** What the API server says now; facts from before the start are no grounds for writing. */
  setFacts(facts: Facts): void {
    this.#facts = facts;
    this.#judged = new WeakMap();
  }

  /** All namespaces. */
  setNamespaces(namespaces: Snapshot): void {
    this.#namespaces = namespaces;
  }

  /** All Secrets of a name, by `namespace/name`. */
  setSecrets(name: PullSecretName, secrets: Snapshot): void {
    this.#secrets.set(name, secrets);
  }

  /** What keeps anything from being said yet; undefined when it can be. */
  get obstacle(): string | undefined {
    if (this.#facts === undefined) return "waits for the API server";
    const { access } = this.#facts;
    if (access === undefined) return "waits for the cluster's credentials";
    // Its address would be missing in every Secret, and each would be written twice.
    const { isInternal, clusterAddress } = access.registry;
    if (access.registryAddress !== "" && isInternal && clusterAddress === undefined) {
      return "waits for the registry's Service";
    }
    if (this.#namespaces === undefined) return "waits for the namespaces";
    return PULL_SECRETS.every((name) => this.#secrets.has(name))
      ? undefined
      : "waits for the Secrets";
  }

  /** The namespaces that need Secrets, with those that are missing or different there. */
  look(): Map<string, readonly SecretManifest[]> {
    const needed = new Map<string, readonly SecretManifest[]>();
    const access = this.#facts?.access;
    if (this.obstacle !== undefined || access === undefined) return needed;
    const wantedIn = (namespace: string) => pullSecrets(namespace, access, this.#facts?.clientTls);
    const [everywhere, inZarf] = [wantedIn(""), wantedIn(ZARF_NAMESPACE)];
    for (const [name, namespace] of this.#namespaces ?? []) {
      if (!this.#judge(namespace, () => needsPullSecrets(namespace, access.mutationPolicy))) {
        continue;
      }
      const wanted = name === ZARF_NAMESPACE ? inZarf : everywhere;
      const wrong = wanted.filter((secret) => !this.#holds(name, secret));
      needed.set(name, wrong.map((secret) => inNamespace(secret, name)));
    }
    return needed;
  }

  #holds(namespace: string, wanted: SecretManifest): boolean {
    const { name } = wanted.metadata;
    const found = this.#secrets.get(name)?.get(`${namespace}/${name}`);
    return found !== undefined && this.#judge(found, () => holdsSecret(found, wanted));
  }

  #judge(object: KubeObject, judge: () => boolean): boolean {
    const known = this.#judged.get(object);
    if (known !== undefined) return known;
    const judged = judge();
    this.#judged.set(object, judged);
    return judged;
  }
}

function inNamespace(secret: SecretManifest, namespace: string): SecretManifest {
  return { ...secret, metadata: { ...secret.metadata, namespace } };
}
