import * as v from "valibot";
import { type Logger, systemClock } from "../std/mod.ts";
import { RESOURCES } from "../talos/mod.ts";
import { EtcdBootstrap } from "./etcd_bootstrap.ts";
import { createWordHandler } from "./etcd_peers.ts";
import { keepListening, type Part } from "./listeners.ts";
import { PEER_PORT, type PeerHandlers, servePeers } from "./peer_listener.ts";
import { type Settings, splitAddress } from "./settings.ts";
import { watchTalos } from "./talos_watch.ts";

/** What {@linkcode beginSite} works with. */
export interface SiteBeginning {
  readonly settings: Settings;
  /** Of the store. */
  readonly dataDir: string;
  /** Whether an API server has answered this agent. */
  readonly apiAnswered: () => boolean;
  /** Told what keeps the cluster from being made, and when nothing does any more. */
  readonly onWait: (why: string | undefined) => void;
  /** Answers those that ask for images. */
  readonly images: PeerHandlers["images"];
  /** How the beginning is, and how the listener for other machines is. */
  readonly parts: { readonly etcd: Part; readonly peers: Part };
  readonly logger: Logger;
}

/**
 * Begins the site's cluster where the settings say so, until there is one; and on a control plane of
 * Talos answers the other machines of the site, until the signal aborts.
 */
export async function beginSite(options: SiteBeginning, signal: AbortSignal): Promise<void> {
  const { settings, parts, logger, dataDir, apiAnswered, onWait, images } = options;
  const begins = settings["bootstrap-etcd"] !== undefined;
  const socket = settings["talos-socket"];
  if (socket === undefined) {
    if (begins) parts.etcd.set(false, "bootstrap-etcd is set, but talos-socket is not");
    return;
  }
  // Who was told the way to the cluster asks Talos for nothing that it was not told to.
  if (!begins && settings.kubeconfig !== undefined) return;
  const controlPlanes = settings["bootstrap-control-planes"];
  const address = peerAddressOf(settings);
  const bootstrap = begins
    ? new EtcdBootstrap({
      ...{ socket, dataDir, controlPlanes, apiAnswered, onWait, logger },
      ...{ part: parts.etcd, peerPort: address.port },
    })
    : undefined;
  // A site with one control plane has no other that would ask it for its word.
  const words = controlPlanes.length < 2 ? undefined : bootstrap && createWordHandler(bootstrap);
  const handlers = { ...(images && { images }), ...(words && { words }) };
  const listen = async () => {
    await whenControlPlane(socket, signal);
    const open = (signal: AbortSignal) => servePeers(handlers, address, signal);
    await keepListening(parts.peers, open, { logger, signal });
  };
  await Promise.all([bootstrap?.run(signal), listen()]);
}

/** Where other machines are listened for: everywhere, in the family of the site's addresses. */
export function peerAddressOf(
  settings: Pick<Settings, "peer-address" | "bootstrap-control-planes">,
): { readonly hostname: string; readonly port: number } {
  const isV6 = settings["bootstrap-control-planes"].some((address) => address.includes(":"));
  return splitAddress(
    settings["peer-address"] ?? `${isV6 ? "[::]" : "0.0.0.0"}:${PEER_PORT}`,
  );
}

const controlPlaneSchema = v.picklist(["controlplane", "init"]);

/** Resolves when Talos has said that this machine is a control plane, or when the signal aborts. */
async function whenControlPlane(socket: string, signal: AbortSignal): Promise<void> {
  const known = new AbortController();
  const stop = () => known.abort();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const { id, ...kind } = RESOURCES.machineType;
  await watchTalos({
    ...{ socket, clock: systemClock },
    follow: async (client, watch) => {
      for await (const event of client.watch(kind, { signal: watch })) {
        if (event.type !== "Present" || event.resource.id !== id) continue;
        if (v.is(controlPlaneSchema, event.resource.spec)) return stop();
      }
    },
    // Who follows Talos for more than this says what is wrong with it.
    complain: () => {},
  }, known.signal);
  signal.removeEventListener("abort", stop);
}
