import type { Logger } from "../std/mod.ts";
import { EtcdBootstrap } from "./etcd_bootstrap.ts";
import { PEER_PORT, serveWords } from "./etcd_peers.ts";
import { keepListening, type Part } from "./listeners.ts";
import { type Settings, splitAddress } from "./settings.ts";
import { whenAborted } from "./signals.ts";

/** What {@linkcode beginEtcd} works with. */
export interface EtcdBeginning {
  readonly settings: Settings;
  /** Of the store. */
  readonly dataDir: string;
  /** Whether an API server has answered this agent. */
  readonly apiAnswered: () => boolean;
  /** Told what keeps the cluster from being made, and when nothing does any more. */
  readonly onWait: (why: string | undefined) => void;
  /** How the beginning is, and how the listener for other control planes is. */
  readonly parts: { readonly etcd: Part; readonly peers: Part };
  readonly logger: Logger;
}

/**
 * Begins the site's cluster where the settings say so, until there is one, and answers other control
 * planes until the signal aborts.
 */
export async function beginEtcd(options: EtcdBeginning, signal: AbortSignal): Promise<void> {
  const { settings, parts, logger, dataDir, apiAnswered, onWait } = options;
  if (settings["bootstrap-etcd"] === undefined) return;
  const socket = settings["talos-socket"];
  if (socket === undefined) {
    parts.etcd.set(false, "bootstrap-etcd is set, but talos-socket is not");
    return;
  }
  const controlPlanes = settings["bootstrap-control-planes"];
  const address = splitAddress(peerAddressOf(settings));
  const bootstrap = new EtcdBootstrap({
    ...{ socket, dataDir, controlPlanes, apiAnswered, onWait, logger },
    part: parts.etcd,
    peerPort: address.port,
  });
  const listen = async () => {
    if (controlPlanes.length < 2) return;
    await Promise.race([bootstrap.isControlPlane, whenAborted(signal)]);
    const open = (signal: AbortSignal) => serveWords(bootstrap, address, signal);
    await keepListening(parts.peers, open, { logger, signal });
  };
  await Promise.all([bootstrap.run(signal), listen()]);
}

/** Where other control planes are listened for: everywhere, in the family of the site's addresses. */
export function peerAddressOf(
  settings: Pick<Settings, "peer-address" | "bootstrap-control-planes">,
): string {
  const isV6 = settings["bootstrap-control-planes"].some((address) => address.includes(":"));
  return settings["peer-address"] ?? `${isV6 ? "[::]" : "0.0.0.0"}:${PEER_PORT}`;
}
