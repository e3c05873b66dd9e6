import type { KubeClient, KubeObject } from "../kube/mod.ts";
import type { Clock } from "../std/mod.ts";
import { hasJustStarted } from "./pods.ts";

/**
 * How long what has only just started must have been ready, in milliseconds: the kubelet sees within
 * two seconds that a container has ended.
 */
const STEADY = 3_000;

/**
 * Tells a workload that is ready from one that is so for a moment: a container without a probe counts
 * as ready as soon as it is started, also one that ends at once.
 */
export class Steadiness {
  readonly #kube: KubeClient;
  readonly #clock: Clock;
  #since: number | undefined;

  constructor(kube: KubeClient, clock: Clock) {
    this.#kube = kube;
    this.#clock = clock;
  }

  /** Whether an object that is ready stays so. */
  async holds(object: KubeObject, namespace: string): Promise<boolean> {
    this.#since ??= this.#clock.monotonic();
    if (this.#clock.monotonic() - this.#since >= STEADY) return true;
    const since = new Date(this.#clock.now().getTime() - STEADY);
    return !await hasJustStarted(this.#kube, object, namespace, since);
  }

  /** It is not ready: what was until now does not count. */
  forget(): void {
    this.#since = undefined;
  }
}
