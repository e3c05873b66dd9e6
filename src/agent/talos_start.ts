import type { Upstream } from "../registry/mod.ts";
import type { Logger } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { awaitedUpstream } from "./awaited_images.ts";
import type { ClusterConnection } from "./cluster.ts";
import type { ClusterFacts } from "./cluster_facts.ts";
import { startKubelet } from "./kubelet_start.ts";
import type { OwnAccess } from "./own_access.ts";
import type { Settings } from "./settings.ts";
import { Occasion } from "./signals.ts";

/** What {@linkcode TalosStart} works with. */
export interface TalosStartOptions {
  readonly settings: Pick<Settings, "talos-socket">;
  readonly store: Store;
  readonly logger: Logger;
  readonly access: Pick<OwnAccess, "isTalos">;
  readonly cluster: Pick<ClusterConnection, "reached">;
  readonly facts: Pick<ClusterFacts, "current">;
}

/** A node of Talos that has heard of no cluster yet: its images are in a package, or come with one. */
export class TalosStart {
  readonly #options: TalosStartOptions;
  readonly #arrivals = new Occasion();
  readonly #alone = () => {
    const { access, cluster, facts } = this.#options;
    return access.isTalos && !cluster.reached && facts.current.registry === undefined;
  };

  constructor(options: TalosStartOptions) {
    this.#options = options;
  }

  /** The images that packages may still bring. */
  get upstream(): Upstream {
    const { store, logger } = this.#options;
    return awaitedUpstream({ store, logger, alone: this.#alone, arrivals: this.#arrivals });
  }

  /** There is a new package, or a cluster. */
  arrived(): void {
    this.#arrivals.happen();
  }

  /** Has Talos start what waited for images, until there is a cluster. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, logger, settings: { "talos-socket": socket } } = this.#options;
    if (socket === undefined) return;
    const waiting = { socket, store, logger, alone: this.#alone, arrivals: this.#arrivals };
    await startKubelet(waiting, signal);
  }
}
