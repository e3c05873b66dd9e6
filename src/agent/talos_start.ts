import type { Upstream } from "../registry/mod.ts";
import type { Logger } from "../std/mod.ts";
import type { Store } from "../store/mod.ts";
import { awaitedUpstream } from "./awaited_images.ts";
import type { ClusterConnection } from "./cluster.ts";
import type { ClusterFacts } from "./cluster_facts.ts";
import { startKubelet, startKubeletFrom } from "./kubelet_start.ts";
import type { OwnAccess } from "./own_access.ts";
import { peerUpstream } from "./peer_images.ts";
import type { PeerHandlers } from "./peer_listener.ts";
import { createImageHandler } from "./peer_serve.ts";
import { PeerSite } from "./peer_site.ts";
import type { Settings } from "./settings.ts";
import { Occasion } from "./signals.ts";
import { peerAddressOf } from "./site_begin.ts";
import { watchedUpstream } from "./upstreams.ts";

/** What {@linkcode TalosStart} works with. */
export interface TalosStartOptions {
  readonly settings: Settings;
  readonly store: Store;
  readonly logger: Logger;
  readonly access: Pick<OwnAccess, "isTalos">;
  readonly cluster: Pick<ClusterConnection, "reached">;
  readonly facts: Pick<ClusterFacts, "current">;
  /** The in-cluster registry. */
  readonly registry: Upstream;
}

/**
 * A node of Talos that has heard of no cluster yet: its images are in a package here or on a control
 * plane, or come with one.
 */
export class TalosStart {
  readonly #options: TalosStartOptions;
  readonly #arrivals = new Occasion();
  readonly #upstreams: readonly Upstream[];
  /** The agents on the site's control planes; undefined where there is no Talos. */
  readonly #peers: Upstream | undefined;
  /** Answers other machines of the site that ask for images. */
  readonly serve: PeerHandlers["images"];
  readonly #alone = () => {
    const { access, cluster, facts } = this.#options;
    return access.isTalos && !cluster.reached && facts.current.registry === undefined;
  };

  constructor(options: TalosStartOptions) {
    this.#options = options;
    const { settings, store, logger, access, facts } = options;
    const registry = watchedUpstream(options.registry);
    const socket = settings["talos-socket"];
    if (socket !== undefined) {
      const controlPlanes = settings["bootstrap-control-planes"];
      const source = new PeerSite({ socket, controlPlanes, logger });
      this.#peers = peerUpstream({
        ...{ source, logger, port: peerAddressOf(settings).port },
        // A registry that this node does not reach yet, before its kube-proxy runs, is none.
        wanted: () => access.isTalos && (facts.current.registry === undefined || !registry.answers),
      });
      this.serve = createImageHandler({ store, logger, key: () => source.key() });
    }
    const peers = this.#peers;
    this.#upstreams = [
      ...(peers === undefined ? [] : [peers]),
      registry,
      awaitedUpstream({
        ...{ store, logger, alone: this.#alone, arrivals: this.#arrivals },
        ...(peers === undefined ? {} : { elsewhere: peers }),
      }),
    ];
  }

  /** Control planes while no registry answers, the registry, and what packages may still bring. */
  get upstreams(): readonly Upstream[] {
    return this.#upstreams;
  }

  /** There is a new package, or a cluster. */
  arrived(): void {
    this.#arrivals.happen();
  }

  /** Has Talos start what waited for images, until there is a cluster. */
  async run(signal: AbortSignal): Promise<void> {
    const { store, logger, settings: { "talos-socket": socket } } = this.#options;
    if (socket === undefined) return;
    const waiting = { socket, logger, alone: this.#alone };
    const elsewhere = this.#peers;
    await Promise.all([
      startKubelet({ ...waiting, store, arrivals: this.#arrivals }, signal),
      elsewhere && startKubeletFrom({ ...waiting, elsewhere }, signal),
    ]);
  }
}
