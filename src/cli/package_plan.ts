import {
  actionPolicyOf,
  type DeploySettings,
  findTools,
  forInit,
  type GivenSettings,
  imagesOf,
  isProvided,
  postRendererCommand,
  readTrustedKeys,
  resolveSettings,
  type Settings,
  SettingsError,
  SiteSettingsReader,
  withoutProvided,
} from "../agent/mod.ts";
import { registryAddress } from "../bootstrap/mod.ts";
import {
  DeployError,
  type DeployPackage,
  GoTemplates,
  type ImageName,
  NO_SETTINGS,
  type PreviewContext,
  previewPackage,
  selectComponents,
} from "../deploy/mod.ts";
import { KubeClient, KubeError } from "../kube/mod.ts";
import { type PackageImage, splitPart, type ZarfPackage } from "../package/mod.ts";
import { gitRepositoryName, parseImageReference, RefError, zarfTag } from "../refs/mod.ts";
import { type Digest, digestHex, exec } from "../std/mod.ts";
import {
  externalRegistry,
  isInternalRegistry,
  loadState,
  type RegistryAddress,
  ZarfError,
  type ZarfState,
} from "../zarf/mod.ts";
import { defaultSettings, readConfig } from "./agent_command.ts";
import { diskWriter } from "./disk_writer.ts";
import type { FileTaker } from "./discarding_sink.ts";
import { readValues } from "./inspect_manifests.ts";
import { type OutputFormat, printAs } from "./output.ts";
import { type ReadPackage, readWholePackage } from "./package_read.ts";
import { PlanRefused } from "./plan_refused.ts";
import { type PlanDocument, planText } from "./plan_text.ts";
import { withTemporaryDirectory } from "./temporary_directory.ts";
import type { Terminal } from "./terminal.ts";

/** The largest file of a component that is kept: no Go template is larger, in bytes. */
const MAX_KEPT_FILE = 32 << 20;

/** What a plan is asked for with. */
export interface PlanOptions {
  /** Settings of the agent, which win over those of `config`. */
  readonly flags: GivenSettings;
  /** The agent's configuration file. */
  readonly config?: string;
  /** As Zarf's `--components`; this and the next three win over the settings of the package. */
  readonly components: string;
  readonly variables: Readonly<Record<string, string>>;
  /** Paths of files with package values. */
  readonly values: readonly string[];
  readonly setValues: Readonly<Record<string, string>>;
  readonly format: OutputFormat;
  readonly terminal: Terminal;
}

/**
 * Reads a package as the agent does and prints what deploying it would do, on the cluster as it is now.
 * Nothing is written but to a private directory, which is gone at the end.
 *
 * @throws {PackageError} when the agent would refuse the package.
 * @throws {PlanRefused} when it would not be deployed to its end; the plan was printed then.
 * @throws {SettingsError}
 * @throws {KubeError} when the cluster cannot be asked.
 */
export async function planPackage(path: string, options: PlanOptions): Promise<void> {
  const { settings } = resolveSettings({
    flags: options.flags,
    environment: Deno.env.toObject(),
    // Nothing is dropped here.
    defaults: { ...defaultSettings(), "drop-dir": ["."] },
    ...(options.config === undefined ? {} : { file: readConfig(options.config) }),
  });
  const kubeconfig = kubeconfigOf(settings);
  const { helm } = findTools(settings["tools-dir"]);
  await withTemporaryDirectory(async (dataDir) => {
    const unpacked = `${dataDir}/package`;
    const read = await readWholePackage(path, {
      trust: readTrustedKeys(settings["trust-key"]),
      terminal: options.terminal,
      taker: unpackInto(unpacked),
    });
    Deno.mkdirSync(`${dataDir}/packages`);
    Deno.renameSync(unpacked, `${dataDir}/packages/${digestHex(read.contents.digest)}`);
    const kube = KubeClient.fromKubeconfig(kubeconfig);
    try {
      const place = { kube, kubeconfig, dataDir, helm };
      print(await planOf(path, read, settings, place, options), options);
    } finally {
      kube.close();
    }
  });
}

/** What deploying a package that was read would do. */
async function planOf(
  path: string,
  read: ReadPackage,
  settings: Settings,
  { helm, ...place }: Pick<PreviewContext, "kube" | "kubeconfig" | "dataDir"> & { helm: string },
  options: PlanOptions,
): Promise<PlanDocument> {
  const { digest, definition, images, trust } = read.contents;
  const site = await siteOf(path, definition, settings, helm, options);
  const plan = await previewPackage(
    { digest, ...asDeployed(definition, images, site) },
    {
      ...site,
      ...place,
      notes: notesOf(definition),
      ...await clusterOf(place.kube, read),
      tools: { helm, postRenderer: postRendererCommand() },
      repositories: { nameOf: gitRepositoryName, publish: () => Promise.resolve() },
      pullSecrets: settings["image-mode"] === "rewrite",
      registryAddress: settings["registry-address"],
      actions: { policy: actionPolicyOf(settings), trusted: trust.state === "Verified" },
      filesRoots: settings["files-root"],
      imageName,
    },
  );
  const signature = trust.state + (trust.state === "Verified" ? ` by ${trust.signedBy}` : "");
  return { file: path, signature, ...plan };
}

function kubeconfigOf({ kubeconfig }: Settings): string {
  if (kubeconfig !== undefined) return kubeconfig;
  throw new SettingsError({
    reason: "InvalidSetting",
    message: "there is no kubeconfig, and a plan is made for a cluster",
    kept: "the package was not read",
    remedy: "give --kubeconfig, HOLDFAST_KUBECONFIG or a --config file that has it",
  });
}

/** What the site says: in the agent's configuration, over that beside the package, over that here. */
async function siteOf(
  path: string,
  { kind, metadata: { name } }: ZarfPackage,
  settings: Settings,
  helm: string,
  { components, variables, values, setValues }: PlanOptions,
) {
  const trimmed = path.replace(/(?<=.)\/+$/, "");
  const reader = new SiteSettingsReader(() => new GoTemplates({ exec, helm }));
  const beside = await reader.beside([splitPart(trimmed)?.whole ?? trimmed]);
  const upper = Object.entries(variables).map(([name, value]) => [name.toUpperCase(), value]);
  const above = {
    ...NO_SETTINGS,
    ...{ components, setValues, variables: Object.fromEntries(upper), valuesFiles: values },
  };
  try {
    const texts = values.map(readValues);
    const site = await reader.settings(settings.packages?.[name], beside, above, texts);
    return kind === "ZarfInitConfig" ? forInit(site) : site;
  } catch (error) {
    if (!(error instanceof DeployError)) throw error;
    throw refused(error.message);
  }
}

/** A package as the agent deploys it: of an init package without what Holdfast is itself. */
function asDeployed(
  definition: ZarfPackage,
  images: readonly PackageImage[],
  site: DeploySettings,
): Pick<DeployPackage, "definition" | "images"> {
  if (definition.kind !== "ZarfInitConfig") return { definition, images };
  return {
    definition: withoutProvided(definition),
    images: imagesOf(definition, chosenOf(definition, site), images),
  };
}

function chosenOf(definition: ZarfPackage, { components }: DeploySettings) {
  try {
    return selectComponents(definition, components);
  } catch (error) {
    if (!(error instanceof DeployError)) throw error;
    // The plan says why nothing is chosen.
    return [];
  }
}

function notesOf({ kind, components }: ZarfPackage): ReadonlyMap<string, string> {
  const provided = components.filter(({ name }) => isProvided(name));
  return new Map(
    kind === "ZarfInitConfig" ? provided.map(({ name }) => [name, "provided by Holdfast"]) : [],
  );
}

/** What is known of the cluster beforehand. @throws {KubeError} when it does not answer. */
async function clusterOf(
  kube: KubeClient,
  read: ReadPackage,
): Promise<Pick<PreviewContext, "kubeVersion" | "registryService" | "registry" | "imageSource">> {
  const kubeVersion = await versionOf(kube);
  const state = await loadState(kube);
  const imageSource = {
    manifestBytes: (digest: Digest) => Promise.resolve(read.document(digest) ?? new Uint8Array()),
    openBlob: () => Promise.reject(new Error("a plan sends no blobs")),
  };
  const registry = state && await registryOf(kube, state);
  if (state === undefined || registry === undefined) return { kubeVersion, imageSource };
  const { url, service } = registry;
  const { pushUsername: username, pushPassword: password } = state.registryInfo;
  return {
    ...{ kubeVersion, imageSource },
    ...(service === undefined ? {} : { registryService: service }),
    registry: { url, credentials: { username, password }, source: imageSource },
  };
}

/** Undefined where there is none that could be asked. */
async function registryOf(
  kube: KubeClient,
  state: ZarfState,
): Promise<RegistryAddress | undefined> {
  if (isInternalRegistry(state)) return await registryAddress(kube, state);
  try {
    return await externalRegistry(kube, state);
  } catch (error) {
    if (!(error instanceof ZarfError)) throw error;
    return undefined;
  }
}

async function versionOf(kube: KubeClient): Promise<string> {
  try {
    return await kube.version();
  } catch (cause) {
    if (!(cause instanceof KubeError) || cause.reason === "BadKubeconfig") throw cause;
    throw new KubeError({
      reason: cause.reason,
      message: `the cluster at ${kube.server} cannot be asked`,
      remedy: "check --kubeconfig and that the API server runs",
      cause,
    });
  }
}

function imageName(image: string): ImageName | undefined {
  try {
    const reference = parseImageReference(image);
    const { host, path: repository, tag, digest } = reference;
    return { host, repository, tag, digest, zarfTag: zarfTag(reference) };
  } catch (error) {
    if (!(error instanceof RefError)) throw error;
    return undefined;
  }
}

/** Keeps what a deployment is made from: not the images, the repositories and large files. */
function unpackInto(directory: string): FileTaker {
  Deno.mkdirSync(directory, { recursive: true });
  const wanted = (path: string, size: number) =>
    /^values(\.schema)?\.(yaml|json)$/.test(path) ||
    /^components\/[^/]+\/(charts|manifests|values)\//.test(path) ||
    (/^components\/[^/]+\/files\//.test(path) && size <= MAX_KEPT_FILE);
  return {
    file: (path, size) => wanted(path, size) ? diskWriter(`${directory}/${path}`) : undefined,
    symlink(path, target) {
      if (!wanted(path, 0)) return;
      Deno.mkdirSync(`${directory}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
      Deno.symlinkSync(target, `${directory}/${path}`);
    },
  };
}

function print(plan: PlanDocument, { format, terminal }: PlanOptions): void {
  printAs(format, plan, () => planText(plan), terminal);
  const [first] = plan.refused;
  if (first === undefined) return;
  const more = plan.refused.length === 1 ? "" : ` (and ${plan.refused.length - 1} more)`;
  throw refused(`${first.message}${more}`);
}

function refused(why: string): PlanRefused {
  return new PlanRefused({
    reason: "PlanRefused",
    message: `the package would not be deployed: ${why}`,
    kept: "the cluster was not touched",
  });
}
