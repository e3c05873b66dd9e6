import { GoTemplates } from "../deploy/mod.ts";
import type { TrustedKey } from "../package/mod.ts";
import { exec, type Logger } from "../std/mod.ts";
import { VerdictFiles } from "../status/mod.ts";
import type { Store } from "../store/mod.ts";
import { ClusterConnection } from "./cluster.ts";
import { ClusterFacts } from "./cluster_facts.ts";
import { GitSite } from "./git_site.ts";
import { Part } from "./listeners.ts";
import { NodeName } from "./node_name.ts";
import { OwnAccess } from "./own_access.ts";
import type { Settings } from "./settings.ts";
import { SiteSettingsBook } from "./site_settings.ts";
import { RegistryTagBook } from "./tag_book.ts";
import { keptNodeName } from "./talos_name.ts";
import { findTools } from "./tools.ts";
import { VerdictBook } from "./verdicts.ts";

/** What an agent is given. */
export interface AgentOptions {
  readonly settings: Settings;
  /** The keys of `trust-key`. */
  readonly trust: readonly TrustedKey[];
  readonly store: Store;
  readonly logger: Logger;
}

/** How each part of the agent is, in the order of the status page. */
export type AgentParts = ReturnType<typeof agentParts>;

/** What the loops of one agent share. */
export interface AgentBase extends AgentOptions {
  readonly parts: AgentParts;
  readonly name: NodeName;
  readonly access: OwnAccess;
  readonly cluster: ClusterConnection;
  readonly facts: ClusterFacts;
  readonly verdicts: VerdictBook;
  readonly verdictFiles: VerdictFiles;
  readonly siteSettings: SiteSettingsBook;
  readonly git: GitSite;
  readonly tags: RegistryTagBook;
}

/** Makes what the loops share; nothing of it runs yet. */
export function agentBase(options: AgentOptions): AgentBase {
  const { settings, store, logger } = options;
  const parts = agentParts();
  const name = nodeNameOf(settings, store);
  if (name.known !== undefined) parts.name.set(true, name.known);
  const access = new OwnAccess({ settings, name, logger, parts });
  const cluster = new ClusterConnection(settings.kubeconfig ?? access.kubeconfig, {
    logger,
    part: parts.cluster,
    ...(settings.kubeconfig === undefined
      ? { awaited: () => access.message, lookAnew: () => access.lookAnew() }
      : {}),
  });
  const facts = new ClusterFacts(store, logger);
  const verdictFiles = new VerdictFiles(store.dir, logger);
  const verdicts = new VerdictBook(store, () => name.shown);
  const siteSettings = new SiteSettingsBook({
    store,
    configured: settings.packages ?? {},
    templates: () => new GoTemplates({ exec, helm: findTools(settings["tools-dir"]).helm }),
  });
  const git = new GitSite({ settings, name, store, logger, facts, part: parts.git });
  const tags = new RegistryTagBook({ store, logger, facts });
  return {
    ...{ ...options, parts, name, access, cluster, facts },
    ...{ verdicts, verdictFiles, siteSettings, git, tags },
  };
}

/** Writes what there is to say of each dropped file; what is written already costs nothing. */
export function writeVerdicts({ verdicts, verdictFiles }: AgentBase): void {
  for (const verdict of verdicts.all()) verdictFiles.write(verdict);
}

function agentParts() {
  return {
    registry: new Part("node registry", "starts"),
    status: new Part("status page", "starts"),
    admission: new Part("admission webhook", "waits for the cluster's certificate", true),
    rewriting: new Part("image rewriting", "waits for the cluster", true),
    name: new Part("node name", "waits for Talos"),
    talos: new Part("Talos", "there is no socket of Talos' machine API", true),
    etcd: new Part("etcd bootstrap", "is left to others", true),
    peers: new Part("peer listener", "no other machine asks", true),
    certificate: new Part("node certificate", "none is needed", true),
    cluster: new Part("cluster", "not asked yet", true),
    pullSecrets: new Part("pull secrets", "waits for the cluster", true),
    git: new Part("git server", "there are no git repositories", true),
    deploy: new Part("deployment", "nothing to deploy", true),
    store: new Part("store", "in order", true),
  };
}

function nodeNameOf(settings: Settings, store: Store): NodeName {
  const { "node-name": given } = settings;
  return new NodeName(given, given === undefined ? keptNodeName(store) : undefined);
}
