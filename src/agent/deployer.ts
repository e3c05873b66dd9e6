import {
  type ActionPolicy,
  DEFAULT_LIMITS,
  type DeployLimits,
  deployPackage,
  type JournalBook,
  preflight,
} from "../deploy/mod.ts";
import { parseDefinition, type ZarfPackage } from "../package/mod.ts";
import type { Digest } from "../std/mod.ts";
import type { ImageRecord, PackageRecord, Store } from "../store/mod.ts";
import { ComponentTracker } from "./component_tracker.ts";
import { DeployTime } from "./deploy_time.ts";
import type { GitSite } from "./git_site.ts";
import { imagesOf } from "./init_package.ts";
import { forInit } from "./init_keys.ts";
import { InitWork } from "./init_work.ts";
import { linkImages, pushTarget, type RegistryFillOptions } from "./registry_fill.ts";
import type { SiteSettingsBook } from "./site_settings.ts";
import { holdfastCommand, postRendererCommand, type Tools } from "./tools.ts";

/** What deploying one package works with. */
export interface DeployerOptions extends RegistryFillOptions {
  readonly kubeconfig: string;
  readonly tools: Tools;
  /** Host and port by which the kubelet pulls: `127.0.0.1:31999`. */
  readonly registryAddress: string;
  /** Whether images of pods are renamed. */
  readonly rewrite: boolean;
  readonly siteSettings: SiteSettingsBook;
  /** Whose commands may run. */
  readonly policy: ActionPolicy;
  /** Where packages may put files. */
  readonly filesRoots: readonly string[];
  readonly git: Pick<GitSite, "isAble" | "target">;
  /** How long deployments may take. */
  readonly limits?: DeployLimits;
  /** Told after the record of the package has changed. */
  readonly onChange: () => void;
}

/** Deploys the package of a record and keeps the record's components up to date while it does. */
export async function deployRecord(
  options: DeployerOptions,
  record: PackageRecord,
  signal: AbortSignal,
  newer?: AbortSignal,
): Promise<void> {
  const { store, kube, limits = DEFAULT_LIMITS, onChange } = options;
  const { digest } = record;
  // First of all: what fails from here on is not tried with the same settings again.
  const given = await options.siteSettings.begin(record);
  // Dropped again, a package has another place in the order; both are a wish to deploy it anew.
  const wish = `${record.sequence} ${options.siteSettings.begunWith(digest)}`;
  using time = new DeployTime(store.records, digest, wish);
  const packed = readDefinition(store, record);
  const site = packed.kind === "ZarfInitConfig" ? forInit(given) : given;
  const tracker = new ComponentTracker({ store, digest, onChange });
  const chosen = preflight(packed, { ...site, git: options.git.isAble });
  const { components } = chosen;
  const all = store.records.images(digest);
  const init = packed.kind === "ZarfInitConfig"
    ? new InitWork({
      ...options,
      ...chosen,
      wishes: site.init,
      definition: packed,
      images: all,
      signal,
    })
    : undefined;
  const { definition, images } = init ?? { definition: packed, images: all };
  tracker.begin(components.map((component) => component.name));
  await init?.begin();
  const hasRepositories = components.some(({ repos }) => repos.length > 0);
  const repositories = hasRepositories ? await options.git.target(kube, signal) : undefined;
  await linkImages(options, images);
  await deployPackage(
    { definition, digest, images },
    {
      ...site,
      ...contextOf(options, record),
      ...(repositories === undefined ? {} : { repositories }),
      kubeVersion: await kube.version({ signal }),
      limits: { ...limits, used: time.used },
      signal,
      ...(newer === undefined ? {} : { newer }),
      ...(init === undefined ? {} : { around: init }),
      onProgress: (progress) => tracker.progress(progress),
      wish,
    },
  );
  if (init !== undefined) tracker.note(init.notes);
}

/** What a deployment works with that is not of this attempt. */
function contextOf(options: DeployerOptions, record: PackageRecord) {
  const { store, kube, kubeconfig, access, tools, filesRoots } = options;
  return {
    ...{ kube, kubeconfig, filesRoots },
    dataDir: store.dir,
    tools: {
      helm: tools.helm,
      postRenderer: postRendererCommand(),
      holdfast: holdfastCommand(),
    },
    registry: pushTarget(options),
    ...(access.service === undefined ? {} : { registryService: access.service }),
    pullSecrets: options.rewrite,
    actions: { policy: options.policy, trusted: record.signature === "Verified" },
    logger: options.logger.with({ package: record.name }),
    journal: journalOf(store, record.digest),
  };
}

/** The images that a package which is deployed has in the registry. */
export function deployedImages(store: Store, record: PackageRecord): ImageRecord[] {
  const images = store.records.images(record.digest);
  if (record.kind !== "ZarfInitConfig") return images;
  const definition = readDefinition(store, record);
  const names = new Set(record.components.map(({ name }) => name));
  const components = definition.components.filter(({ name }) => names.has(name));
  return imagesOf(definition, components, images);
}

function readDefinition(store: Store, record: PackageRecord): ZarfPackage {
  return parseDefinition(Deno.readFileSync(`${store.packagePath(record.digest)}/zarf.yaml`));
}

/** The journal of a package's deployments in the store. */
function journalOf(store: Store, owner: Digest): JournalBook {
  return {
    append: ({ step, state, detail = null }) =>
      store.records.appendJournal({
        owner,
        step,
        state: state === "begin" ? "started" : state,
        detail,
        at: new Date().toISOString(),
      }),
    lines: () =>
      store.records.journal(owner).map(({ step, state, detail }) => ({
        step,
        state: state === "started" ? "begin" : state,
        detail,
      })),
  };
}
