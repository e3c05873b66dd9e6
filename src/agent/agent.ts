import { REGISTRY_GID, REGISTRY_UID } from "../bootstrap/mod.ts";
import { Reconciler } from "../reconcile/mod.ts";
import { createRegistryMetrics } from "../registry/mod.ts";
import { describeError, ensureDir, type Logger } from "../std/mod.ts";
import { Store } from "../store/mod.ts";
import { type AgentBase, agentBase, type AgentOptions, writeVerdicts } from "./agent_base.ts";
import { takeSeed, watchDrops, watchSettings } from "./agent_intake.ts";
import { serveNodeRegistry, serveStatusPage } from "./agent_listeners.ts";
import { ClusterLife } from "./cluster_life.ts";
import { ClusterWork } from "./cluster_work.ts";
import type { Settings } from "./settings.ts";
import { whenAborted } from "./signals.ts";
import { beginSite } from "./site_begin.ts";
import { followTalosName } from "./talos_name.ts";
import { TalosStart } from "./talos_start.ts";
import { readTrustedKeys } from "./trust_keys.ts";
import { Upkeep } from "./upkeep.ts";
import { assemblingUpstream, clusterUpstream, patient } from "./upstreams.ts";
import { VERSION } from "./version.ts";
import { serveWebhook } from "./webhook.ts";

/** How long the agent may take to end once it is told to, in milliseconds. */
const SHUTDOWN_TIMEOUT = 8_000;

/**
 * One node's agent: opens the store, then runs every loop until `signal` aborts. A loop that cannot
 * work now (a taken port, no cluster) says so and tries again; only what makes the whole agent
 * useless is thrown.
 *
 * @throws {SettingsError} when a trusted key cannot be used; nothing was touched then.
 * @throws {StoreError} when the data directory cannot be used.
 */
export async function runAgent(
  settings: Settings,
  logger: Logger,
  signal: AbortSignal,
): Promise<void> {
  const trust = readTrustedKeys(settings["trust-key"]);
  const keys = trust.map(({ fingerprint }) => fingerprint).join(" ");
  logger.info("holdfast starts", {
    version: VERSION,
    ...(settings["node-name"] === undefined ? {} : { node: settings["node-name"] }),
    ...(keys === "" ? {} : { trustedKeys: keys }),
  });
  const store = Store.open(settings["data-dir"], { logger, mayFreeze: true });
  try {
    if (store.frozen === undefined) prepareRegistryStorage(store, logger);
    await new Agent({ settings, trust, store, logger }).run(signal);
  } finally {
    store.close();
    logger.info("holdfast has stopped");
  }
}

/** The in-cluster registry's storage, should it be placed on this node, for the user it runs as. */
function prepareRegistryStorage(store: Store, logger: Logger): void {
  const directory = `${store.dir}/registry`;
  try {
    ensureDir(directory);
    Deno.chownSync(directory, REGISTRY_UID, REGISTRY_GID);
  } catch (error) {
    logger.debug(`the registry cannot be stored on this node: ${describeError(error)}`);
  }
}

/** The loops of one agent, and what they tell each other. */
class Agent {
  readonly #base: AgentBase;
  readonly #talosStart: TalosStart;
  readonly #reconciler: Reconciler;
  readonly #life: ClusterLife;
  readonly #upkeep: Upkeep;
  /** There is a new package, or a cluster. */
  readonly #arrived = () => {
    this.#talosStart.arrived();
    this.#reconciler.wake();
  };

  constructor(options: AgentOptions) {
    const base = agentBase(options);
    const { store, logger, parts, access } = base;
    const onChange = () => writeVerdicts(base);
    const isNode = () => access.isNode;
    const actions = new ClusterWork({ ...base, part: parts.deploy, isNode, onChange });
    this.#base = base;
    this.#talosStart = new TalosStart({
      ...base,
      registry: patient(clusterUpstream(base.facts)),
    });
    this.#reconciler = new Reconciler({ store, logger, actions, onChange });
    this.#life = new ClusterLife({ ...base, wake: this.#arrived });
    this.#upkeep = new Upkeep({
      ...{ store, logger, part: parts.store },
      upstreams: [clusterUpstream(base.facts)],
      onThawed: () => {
        prepareRegistryStorage(store, logger);
        this.#reconciler.wake();
      },
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const all = AbortSignal.any([signal, stop.signal]);
    using access = this.#base.access;
    const loops = [
      access.run(all),
      this.#followName(all),
      this.#tellName(all),
      this.#beginSite(all),
      ...this.#serve(all),
      ...this.#takeIn(all),
      this.#life.run(all),
      this.#talosStart.run(all),
      this.#reconciler.run(all),
      this.#upkeep.run(all),
    ];
    // A loop throws only when it cannot go on; then nothing may run half.
    const ended = Promise.all(loops.map((loop) => loop.catch((error) => stop.abort(error))));
    await Promise.race([ended, whenAborted(all)]);
    await Promise.race([ended, unrefTimeout(SHUTDOWN_TIMEOUT)]);
    if (stop.signal.aborted) throw stop.signal.reason;
  }

  /** Where nobody gave the name, Talos is asked. */
  async #followName(signal: AbortSignal): Promise<void> {
    const { settings, store, logger, name, parts } = this.#base;
    const { "node-name": given, "talos-socket": socket } = settings;
    if (given !== undefined || socket === undefined) return;
    await followTalosName({ socket, store, logger, name, part: parts.name }, signal);
  }

  /** Verdicts carry the name, and what waits for it goes on. */
  async #tellName(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await whenAborted(signal, this.#base.name.changed);
      if (signal.aborted) return;
      writeVerdicts(this.#base);
      this.#reconciler.wake();
    }
  }

  #beginSite(signal: AbortSignal): Promise<void> {
    const { settings, store, cluster, parts, logger } = this.#base;
    return beginSite({
      ...{ settings, dataDir: store.dir, parts, logger },
      apiAnswered: () => cluster.reached,
      onWait: (why) => cluster.unmade = why,
      images: this.#talosStart.serve,
    }, signal);
  }

  #serve(signal: AbortSignal): Promise<void>[] {
    const { settings, facts, store, parts, logger, git } = this.#base;
    const metrics = createRegistryMetrics();
    const upstreams = [
      assemblingUpstream(store, () => this.#life.follower),
      ...this.#talosStart.upstreams,
    ];
    const counts = {
      registryMetrics: metrics,
      repairedBlobs: () => this.#upkeep.repaired,
      mendedObjects: () => this.#life.mended,
    };
    return [
      serveNodeRegistry(this.#base, { upstreams, metrics }, signal),
      serveStatusPage(this.#base, counts, signal),
      serveWebhook({ settings, facts, store, part: parts.admission, logger }, signal),
      git.serve(signal),
    ];
  }

  #takeIn(signal: AbortSignal): Promise<void>[] {
    const wake = () => this.#reconciler.wake();
    return [
      takeSeed(this.#base, wake, signal),
      watchDrops(this.#base, this.#arrived, signal),
      watchSettings(this.#base, wake, signal),
    ];
  }
}

/** A time limit that does not keep the process alive by itself. */
function unrefTimeout(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  Deno.unrefTimer(setTimeout(resolve, ms));
  return promise;
}
