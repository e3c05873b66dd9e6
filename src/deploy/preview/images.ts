import { absentImages, RegistryView, ZarfError } from "../../zarf/mod.ts";
import type { DeployContext, DeployPackage } from "../context.ts";
import { imagesToPush, type NamedImage } from "../images.ts";
import type { PlannedImages } from "./plan.ts";
import type { PodImage } from "./releases.ts";

/** How long the registry may take over an answer, in milliseconds. */
const REGISTRY_TIMEOUT = 5_000;

/** The parts of an image's name that it is looked for by. */
export interface ImageName {
  /** `docker.io` */
  readonly host: string;
  /** `library/nginx` */
  readonly repository: string;
  readonly tag?: string | undefined;
  /** `<tag>-zarf-<crc>`; absent for one that is named by digest only. */
  readonly zarfTag?: string | undefined;
  readonly digest?: string | undefined;
}

/** What is needed to look for images. */
export interface ImagesContext extends Pick<DeployContext, "registry" | "signal"> {
  /** Reads an image's name; undefined when it is none. */
  readonly imageName: (image: string) => ImageName | undefined;
  /** Where the images of the package are read from, also while there is no registry. */
  readonly imageSource: NonNullable<DeployContext["registry"]>["source"];
}

/** The images of a package and of its pods, as the in-cluster registry has them. */
export class ImagesPreview {
  readonly warnings: string[] = [];
  readonly #pkg: DeployPackage;
  readonly #context: ImagesContext;
  #registry: RegistryView | undefined;

  constructor(pkg: DeployPackage, context: ImagesContext) {
    const { registry, signal } = context;
    this.#pkg = pkg;
    this.#context = context;
    if (registry === undefined) return;
    this.#registry = new RegistryView({
      registryUrl: registry.url,
      credentials: registry.credentials,
      stallTimeout: REGISTRY_TIMEOUT,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  /**
   * What of the package's images would be sent.
   *
   * @param bootstrap Whether there is no registry because the cluster has nothing yet.
   */
  async missing(bootstrap: boolean): Promise<PlannedImages> {
    const { images } = this.#pkg;
    const total = images.length;
    if (total === 0) return { total, missing: [], bytes: 0 };
    if (this.#registry === undefined && !bootstrap) {
      this.warnings.push("the cluster has no registry that could be asked for images");
      return { total };
    }
    try {
      const absent = await absentImages(
        imagesToPush(images),
        this.#context.imageSource,
        this.#registry,
      );
      return {
        total,
        missing: absent.map(({ image: { repository, tags, digest }, bytes }) => {
          const tag = tags.at(-1);
          return { image: tag === undefined ? repository : `${repository}:${tag}`, digest, bytes };
        }),
        bytes: absent.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    } catch (error) {
      this.#silent(error);
      return { total };
    }
  }

  /** Looks for images of pods that nobody brings. */
  async look(images: readonly PodImage[], registryAddress: string): Promise<void> {
    for (const [image, places] of Map.groupBy(images, ({ image }) => image)) {
      const where = [...new Set(places.map(({ where }) => where))].join(", ");
      const name = this.#context.imageName(image);
      if (name === undefined) this.warnings.push(`${where}: "${image}" is no name of an image`);
      else if (!this.#brings(name, registryAddress)) await this.#ask(image, name, where);
    }
  }

  #brings(name: ImageName, registryAddress: string): boolean {
    return this.#pkg.images.some((one) => isNamed(one, name, name.host === registryAddress));
  }

  async #ask(image: string, { repository, digest, zarfTag, tag }: ImageName, where: string) {
    const text = `${where}: the image ${image} is not in the package`;
    const reference = digest ?? zarfTag ?? tag;
    if (this.#registry === undefined || reference === undefined) {
      this.warnings.push(text);
      return;
    }
    try {
      const there = await this.#registry.has(repository, reference);
      if (!there) this.warnings.push(`${text} and not in the registry`);
    } catch (error) {
      this.#silent(error);
      this.warnings.push(text);
    }
  }

  /** It is asked once. */
  #silent(error: unknown): void {
    if (!(error instanceof ZarfError) || this.#context.signal?.aborted) throw error;
    this.#registry = undefined;
    this.warnings.push(`it is not known which images are in the registry: ${error.message}`);
  }
}

/** Whether an image of the package is what pods get by a name. */
function isNamed(image: NamedImage, name: ImageName, isThere: boolean): boolean {
  if (image.repository !== name.repository) return false;
  if (name.digest !== undefined) return image.descriptor.digest === name.digest;
  if (isThere && (name.tag === image.tag || name.tag === image.zarfTag)) return true;
  return name.zarfTag !== undefined && name.zarfTag === image.zarfTag;
}
