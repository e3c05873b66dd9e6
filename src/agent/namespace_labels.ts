import type { Labels } from "../admission/mod.ts";
import type { KubeClient } from "../kube/mod.ts";

/** The labels of namespaces, each asked for once; made anew for each look at the cluster. */
export class NamespaceLabels {
  readonly #kube: KubeClient;
  readonly #signal: AbortSignal;
  readonly #known = new Map<string, Labels | null>();

  constructor(kube: KubeClient, signal: AbortSignal) {
    this.#kube = kube;
    this.#signal = signal;
  }

  /** `null` when there is no such namespace. */
  async of(name: string): Promise<Labels> {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const ref = { apiVersion: "v1", kind: "Namespace", name };
    const found = await this.#kube.get(ref, { signal: this.#signal });
    const labels = found === undefined ? null : found.metadata.labels ?? {};
    this.#known.set(name, labels);
    return labels;
  }
}
