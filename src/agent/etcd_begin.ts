import type { Logger } from "../std/mod.ts";
import { EtcdBootstrap } from "./etcd_bootstrap.ts";
import type { Part } from "./listeners.ts";
import type { Settings } from "./settings.ts";

/** What {@linkcode beginEtcd} works with. */
export interface EtcdBeginning {
  readonly settings: Settings;
  /** Of the store. */
  readonly dataDir: string;
  /** Whether an API server has answered this agent. */
  readonly apiAnswered: () => boolean;
  readonly part: Part;
  readonly logger: Logger;
}

/** Begins the site's cluster where the settings say so, until there is one or the signal aborts. */
export async function beginEtcd(options: EtcdBeginning, signal: AbortSignal): Promise<void> {
  const { settings, part, logger, dataDir, apiAnswered } = options;
  if (settings["bootstrap-etcd"] === undefined) return;
  const socket = settings["talos-socket"];
  if (socket === undefined) {
    part.set(false, "bootstrap-etcd is set, but talos-socket is not");
    return;
  }
  const controlPlanes = settings["bootstrap-control-planes"];
  const bootstrap = new EtcdBootstrap({
    ...{ socket, dataDir, controlPlanes, apiAnswered, part, logger },
  });
  await bootstrap.run(signal);
}
