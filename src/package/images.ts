import { type ImageReference, parseImageReference, zarfTag } from "../refs/mod.ts";
import { LAYOUT_FILES } from "./entries.ts";
import type { ZarfPackage } from "./definition.ts";
import { packageError } from "./errors.ts";
import type { Layout } from "./layout.ts";
import type { PackageImage } from "./types.ts";

const REF_NAME = "org.opencontainers.image.ref.name";
const BASE_NAME = "org.opencontainers.image.base.name";

/** All image references of a definition, as they are written there. */
export function definedImages(definition: ZarfPackage): string[] {
  const all = definition.components.flatMap((component) => [
    ...component.images,
    ...component.imageArchives.flatMap((archive) => archive.images),
  ]);
  return [...new Set(all)];
}

/**
 * The named images of a layout. Since Zarf uses oras (0.60) the name is in `ref.name`; before, crane
 * wrote only `base.name`. Where there is any `ref.name`, a lone `base.name` is what its image's
 * builder wrote into an index, the name of another image altogether.
 *
 * @throws {PackageError} InvalidImageLayout for a name that cannot be read, stands for two images or
 * for something that is no image manifest.
 */
export function nameImages(layout: Layout): PackageImage[] {
  const key = layout.roots.some((root) => root.annotations?.[REF_NAME] !== undefined)
    ? REF_NAME
    : BASE_NAME;
  const images = new Map<string, PackageImage>();
  for (const root of layout.roots) {
    const name = root.annotations?.[key];
    if (name === undefined) continue;
    const descriptor = layout.manifests.get(root.digest);
    if (descriptor === undefined) {
      throw packageError(
        "InvalidImageLayout",
        `${LAYOUT_FILES.index}: ${name} has the unknown media type ${
          JSON.stringify(root.mediaType)
        }`,
      );
    }
    const image = { ...readName(name), descriptor };
    const known = images.get(image.reference);
    if (known !== undefined && known.descriptor.digest !== root.digest) {
      throw packageError(
        "InvalidImageLayout",
        `${LAYOUT_FILES.index}: ${name} stands for two images`,
      );
    }
    images.set(image.reference, known ?? image);
  }
  return [...images.values()];
}

/** Of an image without a host nobody could say under which name it is asked for. */
function readReference(name: string): ImageReference {
  const reference = parseImageReference(name);
  if (reference.host === "") throw new Error("its first part is no host name");
  return reference;
}

function readName(name: string): Omit<PackageImage, "descriptor"> {
  try {
    const reference = readReference(name);
    const zarf = zarfTag(reference);
    return {
      reference: reference.canonical,
      host: reference.host,
      repository: reference.path,
      ...(reference.tag === undefined ? {} : { tag: reference.tag }),
      ...(zarf === undefined ? {} : { zarfTag: zarf }),
    };
  } catch (cause) {
    throw packageError(
      "InvalidImageLayout",
      `${LAYOUT_FILES.index}: ${JSON.stringify(name)} is not the name of an image`,
      { cause },
    );
  }
}

/**
 * Every image that a component names must be in the package.
 *
 * @throws {PackageError} MissingImage or InvalidDefinition.
 */
export function checkDefinedImages(
  definition: ZarfPackage,
  images: readonly PackageImage[],
): void {
  const present = new Set(images.map((image) => image.reference));
  for (const [name, reference] of canonicalImages(definition)) {
    if (present.has(reference)) continue;
    throw packageError(
      "MissingImage",
      `${LAYOUT_FILES.index}: has no ${name}, which zarf.yaml names`,
    );
  }
}

/**
 * The images of a definition: as they are written there, and in full.
 *
 * @throws {PackageError} InvalidDefinition for one that is not the name of an image.
 */
export function canonicalImages(definition: ZarfPackage): ReadonlyMap<string, string> {
  return new Map(definedImages(definition).map((name) => [name, canonical(name)]));
}

function canonical(name: string): string {
  try {
    return readReference(name).canonical;
  } catch (cause) {
    throw packageError(
      "InvalidDefinition",
      `zarf.yaml: ${JSON.stringify(name)} is not the name of an image`,
      { cause },
    );
  }
}
