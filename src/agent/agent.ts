import { REGISTRY_GID, REGISTRY_UID } from "../bootstrap/mod.ts";
import { GoTemplates } from "../deploy/mod.ts";
import { DropWatcher } from "../drop/mod.ts";
import { Reconciler } from "../reconcile/mod.ts";
import { createRegistry, createRegistryMetrics, serveRegistry } from "../registry/mod.ts";
import type { TrustedKey } from "../package/mod.ts";
import { describeError, ensureDir, exec, type Logger, systemClock } from "../std/mod.ts";
import { serveStatus, VerdictFiles } from "../status/mod.ts";
import { Store } from "../store/mod.ts";
import { ClusterConnection } from "./cluster.ts";
import { ClusterFacts } from "./cluster_facts.ts";
import { ClusterLife } from "./cluster_life.ts";
import { ClusterWork } from "./cluster_work.ts";
import { beginEtcd } from "./etcd_begin.ts";
import { GitSite } from "./git_site.ts";
import { keepListening, Part } from "./listeners.ts";
import { NodeName } from "./node_name.ts";
import { OwnAccess } from "./own_access.ts";
import { reportOf } from "./report.ts";
import { importSeedDirectory } from "./seed_import.ts";
import { type Settings, splitAddress } from "./settings.ts";
import { whenAborted } from "./signals.ts";
import { SiteSettingsBook } from "./site_settings.ts";
import { watchSiteSettings } from "./site_settings_watch.ts";
import { RegistryTagBook } from "./tag_book.ts";
import { followTalosName, keptNodeName } from "./talos_name.ts";
import { TalosStart } from "./talos_start.ts";
import { findTools } from "./tools.ts";
import { readTrustedKeys } from "./trust_keys.ts";
import { Upkeep } from "./upkeep.ts";
import { assemblingUpstream, clusterUpstream, patient } from "./upstreams.ts";
import { VerdictBook } from "./verdicts.ts";
import { VERSION } from "./version.ts";
import { serveWebhook } from "./webhook.ts";

/** Milliseconds between two attempts to take the registry's image in. */
const SEED_INTERVAL = 5_000;
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
  const store = Store.open(settings["data-dir"], { logger });
  try {
    prepareRegistryStorage(store, logger);
    await new Agent(settings, trust, store, logger).run(signal);
  } finally {
    store.close();
    logger.info("holdfast has stopped");
  }
}

/** The in-cluster registry's storage, should it be placed on this node, for the user it runs as. */
function prepareRegistryStorage(store: Store, logger: Logger): void {
  const directory = `${store.dir}/registry`;
  ensureDir(directory);
  try {
    Deno.chownSync(directory, REGISTRY_UID, REGISTRY_GID);
  } catch (error) {
    logger.debug(`the registry cannot be stored on this node: ${describeError(error)}`);
  }
}

/** The loops of one agent and what they share. */
class Agent {
  readonly #settings: Settings;
  readonly #trust: readonly TrustedKey[];
  readonly #store: Store;
  readonly #logger: Logger;
  readonly #parts = {
    registry: new Part("node registry", "starts"),
    status: new Part("status page", "starts"),
    admission: new Part("admission webhook", "waits for the cluster's certificate", true),
    rewriting: new Part("image rewriting", "waits for the cluster", true),
    name: new Part("node name", "waits for Talos"),
    talos: new Part("Talos", "there is no socket of Talos' machine API", true),
    etcd: new Part("etcd bootstrap", "is left to others", true),
    peers: new Part("peer listener", "no other control plane asks", true),
    certificate: new Part("node certificate", "none is needed", true),
    cluster: new Part("cluster", "not asked yet", true),
    pullSecrets: new Part("pull secrets", "waits for the cluster", true),
    git: new Part("git server", "there are no git repositories", true),
    deploy: new Part("deployment", "nothing to deploy", true),
    store: new Part("store", "in order", true),
  };
  readonly #name: NodeName;
  readonly #access: OwnAccess;
  readonly #cluster: ClusterConnection;
  readonly #facts: ClusterFacts;
  readonly #verdictFiles: VerdictFiles;
  readonly #verdicts: VerdictBook;
  readonly #registryMetrics = createRegistryMetrics();
  readonly #reconciler: Reconciler;
  readonly #upkeep: Upkeep;
  readonly #siteSettings: SiteSettingsBook;
  readonly #git: GitSite;
  readonly #tags: RegistryTagBook;
  readonly #life: ClusterLife;
  readonly #talosStart: TalosStart;

  constructor(
    settings: Settings,
    trust: readonly TrustedKey[],
    store: Store,
    logger: Logger,
  ) {
    this.#settings = settings;
    this.#trust = trust;
    this.#store = store;
    this.#logger = logger;
    this.#name = nodeNameOf(settings, store);
    if (this.#name.known !== undefined) this.#parts.name.set(true, this.#name.known);
    const name = this.#name;
    this.#access = new OwnAccess({ settings, name, logger, parts: this.#parts });
    this.#cluster = new ClusterConnection(settings.kubeconfig ?? this.#access.kubeconfig, {
      logger,
      part: this.#parts.cluster,
      ...(settings.kubeconfig === undefined ? { awaited: () => this.#access.message } : {}),
    });
    this.#facts = new ClusterFacts(store, logger);
    this.#verdictFiles = new VerdictFiles(store.dir, logger);
    this.#verdicts = new VerdictBook(store, () => name.shown);
    const onChange = () => this.#writeVerdicts();
    this.#siteSettings = new SiteSettingsBook({
      store,
      configured: settings.packages ?? {},
      templates: () => new GoTemplates({ exec, helm: findTools(settings["tools-dir"]).helm }),
    });
    this.#git = new GitSite({
      ...{ settings, name, store, logger, facts: this.#facts, part: this.#parts.git },
    });
    this.#tags = new RegistryTagBook({ store, logger, facts: this.#facts });
    const actions = new ClusterWork({
      settings,
      name,
      store,
      logger,
      onChange,
      cluster: this.#cluster,
      isNode: () => this.#access.isNode,
      facts: this.#facts,
      siteSettings: this.#siteSettings,
      git: this.#git,
      tags: this.#tags,
      part: this.#parts.deploy,
    });
    this.#reconciler = new Reconciler({ store, logger, actions, onChange });
    this.#life = new ClusterLife({
      ...{ settings, name, store, logger, parts: this.#parts, access: this.#access },
      ...{ cluster: this.#cluster, facts: this.#facts, git: this.#git },
      wake: () => {
        this.#talosStart.arrived();
        this.#reconciler.wake();
      },
    });
    this.#talosStart = new TalosStart({
      ...{ settings, store, logger, access: this.#access },
      ...{ cluster: this.#cluster, facts: this.#facts },
    });
    this.#upkeep = new Upkeep({
      store,
      logger,
      upstreams: [clusterUpstream(this.#facts)],
      part: this.#parts.store,
    });
  }

  async run(signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const all = AbortSignal.any([signal, stop.signal]);
    using access = this.#access;
    const loops = [
      access.run(all),
      this.#followName(all),
      this.#tellName(all),
      this.#beginEtcd(all),
      this.#serveRegistry(all),
      this.#serveStatus(all),
      this.#serveAdmission(all),
      this.#git.serve(all),
      this.#takeSeed(all),
      this.#watchDrops(all),
      this.#watchSettings(all),
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
    const { "node-name": given, "talos-socket": socket } = this.#settings;
    if (given !== undefined || socket === undefined) return;
    await followTalosName({
      ...{ socket, store: this.#store, logger: this.#logger },
      ...{ name: this.#name, part: this.#parts.name },
    }, signal);
  }

  /** Verdicts carry the name, and what waits for it goes on. */
  async #tellName(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await whenAborted(signal, this.#name.changed);
      if (signal.aborted) return;
      this.#writeVerdicts();
      this.#reconciler.wake();
    }
  }

  #writeVerdicts(): void {
    for (const verdict of this.#verdicts.all()) this.#verdictFiles.write(verdict);
  }

  #serveRegistry(signal: AbortSignal): Promise<void> {
    const handler = createRegistry({
      store: this.#store,
      upstreams: [
        assemblingUpstream(this.#store, () => this.#life.follower),
        patient(clusterUpstream(this.#facts)),
        this.#talosStart.upstream,
      ],
      tags: this.#tags,
      logger: this.#logger,
      metrics: this.#registryMetrics,
    });
    const address = splitAddress(this.#settings["registry-address"]);
    const open = (signal: AbortSignal) => serveRegistry(handler, { ...address, signal });
    return keepListening(this.#parts.registry, open, { logger: this.#logger, signal });
  }

  #serveStatus(signal: AbortSignal): Promise<void> {
    const source = reportOf({
      nodeName: () => this.#name.shown,
      parts: Object.values(this.#parts),
      verdicts: this.#verdicts,
      store: this.#store,
      registryMetrics: this.#registryMetrics,
      apiWrites: () => this.#cluster.writes,
      repairedBlobs: () => this.#upkeep.repaired,
      mendedObjects: () => this.#life.mended,
    });
    const address = splitAddress(this.#settings["status-address"]);
    const open = (signal: AbortSignal) => serveStatus(source, { ...address, signal });
    return keepListening(this.#parts.status, open, { logger: this.#logger, signal });
  }

  #beginEtcd(signal: AbortSignal): Promise<void> {
    return beginEtcd({
      settings: this.#settings,
      dataDir: this.#store.dir,
      apiAnswered: () => this.#cluster.reached,
      parts: this.#parts,
      logger: this.#logger,
    }, signal);
  }

  #serveAdmission(signal: AbortSignal): Promise<void> {
    return serveWebhook({
      settings: this.#settings,
      facts: this.#facts,
      store: this.#store,
      part: this.#parts.admission,
      logger: this.#logger,
    }, signal);
  }

  /** A directory that cannot be read, or a disk that is full, is tried again. */
  async #takeSeed(signal: AbortSignal): Promise<void> {
    const directory = this.#settings["seed-dir"];
    let said = "";
    while (directory !== undefined && !signal.aborted) {
      try {
        await importSeedDirectory(this.#store, directory, this.#logger);
        return this.#reconciler.wake();
      } catch (error) {
        const text = describeError(error);
        if (said !== text) this.#logger.error(text);
        said = text;
      }
      await systemClock.sleep(SEED_INTERVAL, signal);
    }
  }

  #watchDrops(signal: AbortSignal): Promise<void> {
    const watcher = new DropWatcher({
      directories: this.#settings["drop-dir"],
      store: this.#store,
      architecture: Deno.build.arch === "aarch64" ? "arm64" : "amd64",
      trust: this.#trust,
      logger: this.#logger,
      onChange: (file) => {
        this.#verdicts.note(file);
        this.#verdictFiles.write(this.#verdicts.verdict(file));
        if (file.outcome.phase !== "Accepted") return;
        this.#talosStart.arrived();
        this.#reconciler.wake();
      },
    });
    return watcher.run(signal);
  }

  #watchSettings(signal: AbortSignal): Promise<void> {
    return watchSiteSettings({
      store: this.#store,
      book: this.#siteSettings,
      logger: this.#logger,
      onChange: () => {
        this.#writeVerdicts();
        this.#reconciler.wake();
      },
    }, signal);
  }
}

function nodeNameOf(settings: Settings, store: Store): NodeName {
  const { "node-name": given } = settings;
  return new NodeName(given, given === undefined ? keptNodeName(store) : undefined);
}

/** A time limit that does not keep the process alive by itself. */
function unrefTimeout(ms: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  Deno.unrefTimer(setTimeout(resolve, ms));
  return promise;
}
