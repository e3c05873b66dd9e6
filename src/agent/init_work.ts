import {
  BootstrapError,
  knownSeed,
  manifestBlobs,
  registryImage,
  rememberSeed,
  replaceRegistry,
} from "../bootstrap/mod.ts";
import {
  type ComponentWork,
  DeployError,
  type ResolvedVariables,
  type SiteSettings,
} from "../deploy/mod.ts";
import type { ZarfComponent, ZarfPackage } from "../package/mod.ts";
import type { ImageRecord } from "../store/mod.ts";
import { isInternalRegistry, prepareGitea, pushImages, useGitea } from "../zarf/mod.ts";
import { applyInitKeys, unusedInitKeys } from "./init_keys.ts";
import {
  GIT_SERVER,
  imagesOf,
  isProvided,
  PROVIDED,
  registryImageOf,
  withoutProvided,
} from "./init_package.ts";
import { registryWishesOf, unusedVariables } from "./init_settings.ts";
import { pushTarget, type RegistryFillOptions } from "./registry_fill.ts";
import { seedNames } from "./seed_import.ts";

/** What the deployment of an init package works with. */
export interface InitWorkOptions extends RegistryFillOptions {
  /** Host and port by which the kubelet pulls: `127.0.0.1:31999`. */
  readonly registryAddress: string;
  readonly definition: ZarfPackage;
  readonly components: readonly ZarfComponent[];
  /** What the site's config file says under `init`. */
  readonly wishes: SiteSettings["init"];
  readonly variables: ResolvedVariables;
  /** All that the package has. */
  readonly images: readonly ImageRecord[];
  readonly signal: AbortSignal;
}

/**
 * What of an init package Holdfast does otherwise than of any package: the registry becomes the
 * package's, Zarf's agent and injector are not needed, and a Gitea becomes the site's git server.
 */
export class InitWork implements ComponentWork {
  readonly #options: InitWorkOptions;
  readonly #notes = new Map<string, string>();

  /** @throws {DeployError} `VariableInvalid`. */
  constructor(options: InitWorkOptions) {
    this.#options = options;
    registryWishesOf(options.variables);
    for (const { name } of options.components) {
      if (isProvided(name)) this.#notes.set(name, `provided by Holdfast${this.#unused(name)}`);
    }
  }

  /** The package as it is deployed. */
  get definition(): ZarfPackage {
    return withoutProvided(this.#options.definition);
  }

  /** The images that are deployed with it. */
  get images(): ImageRecord[] {
    const { definition, components, images } = this.#options;
    return imagesOf(definition, components, images);
  }

  /** What is to be said of components that were not deployed as they were packed. */
  get notes(): ReadonlyMap<string, string> {
    return this.#notes;
  }

  /** What the package is filled in with must be in the state first. */
  async begin(): Promise<void> {
    const { components, kube, wishes } = this.#options;
    await applyInitKeys(kube, wishes);
    if (components.some(({ name }) => name === GIT_SERVER)) await prepareGitea(kube);
  }

  async before(component: string, say: (message: string) => void): Promise<void> {
    if (component === PROVIDED.registry) await this.#takeRegistry(say);
  }

  async after(component: string): Promise<void> {
    if (component !== GIT_SERVER || await useGitea(this.#options.kube)) return;
    this.#notes.set(component, "ready; the site has another git server, which stays in use");
  }

  async #takeRegistry(say: (message: string) => void): Promise<void> {
    if (!isInternalRegistry(this.#options.access.state)) {
      this.#note("the site has a registry of its own, which stays in use");
      return;
    }
    const { definition, images, kube, store, logger, access, signal } = this.#options;
    const image = registryImageOf(definition, images);
    if (image === undefined) {
      this.#note("the package has no registry image, and the registry stays what it was");
      return;
    }
    await this.#push(image);
    const seed = { ...seedNames(image.reference), descriptor: image.descriptor };
    const plan = {
      image: registryImage(this.#options.registryAddress, seed),
      storageDir: `${store.dir}/registry`,
      state: access.state,
      wishes: registryWishesOf(this.#options.variables),
    };
    const replaced = await replaceRegistry(plan, { kube, logger, signal, onProgress: say })
      .catch((error) => {
        throw asDeployError(error);
      });
    if (replaced === "NotOurs") {
      this.#note("the registry was made by Zarf and stays what it was");
      return;
    }
    const { mediaType, digest, size } = image.descriptor;
    const descriptor = { mediaType, digest, size };
    if (knownSeed(store)?.image.descriptor.digest !== digest) {
      const blobs = manifestBlobs(store, descriptor);
      rememberSeed(store, { image: { ...seed, descriptor }, blobs });
    }
    this.#note(`the registry runs ${image.reference}`);
  }

  /** The node that has the registry's storage pulls it from there. */
  async #push(image: ImageRecord): Promise<void> {
    const { url, ...target } = pushTarget(this.#options);
    const { repository, tag, zarfTag, descriptor } = image;
    const tags = [zarfTag, tag].filter((name) => name !== undefined);
    await pushImages([{ repository, tags, digest: descriptor.digest }], {
      ...{ ...target, registryUrl: url, signal: this.#options.signal },
    });
  }

  #note(what: string): void {
    const name = PROVIDED.registry;
    this.#notes.set(name, `provided by Holdfast: ${what}${this.#unused(name)}`);
  }

  #unused(component: string): string {
    const variables = unusedVariables(this.#options.variables);
    const isAgents = (name: string) => name.startsWith("AGENT_");
    const unused: Readonly<Record<string, readonly string[]>> = {
      [PROVIDED.injector]: unusedInitKeys(this.#options.wishes),
      [PROVIDED.agent]: variables.filter(isAgents),
      [PROVIDED.registry]: variables.filter((name) => !isAgents(name)),
    };
    const names = unused[component] ?? [];
    return names.length === 0 ? "" : `; not used: ${names.join(", ")}`;
  }
}

/** The registry from before serves: that is a rollback. */
function asDeployError(error: unknown): unknown {
  if (!(error instanceof BootstrapError)) return error;
  if (error.reason !== "RegistryReplacementFailed") return error;
  const { message, kept, remedy } = error;
  return new DeployError({
    ...{ reason: "RolledBack", message, cause: error },
    ...(kept === undefined ? {} : { kept }),
    ...(remedy === undefined ? {} : { remedy }),
  });
}
