import { crc32 } from "./crc32.ts";
import { type ImageReference, parseImageReference } from "./reference.ts";

/**
 * The tag under which Zarf keeps an image that was given by tag: `<tag>-zarf-<CRC-32 of host/path>`.
 * The checksum keeps images of the same path from different registries apart. An image given by
 * digest alone has none.
 */
export function zarfTag(reference: ImageReference): string | undefined {
  return reference.tag === undefined ? undefined : `${reference.tag}-zarf-${crc32(reference.name)}`;
}

/**
 * The name under which an image is found in the registry at `targetHost` (`host[:port][/prefix]`):
 * `<target>/<path>@<digest>`, or `<target>/<path>:<tag>-zarf-<crc>` where it has no digest. A
 * reference whose host begins `targetHost` is already there and comes back as it is (Zarf 0.84,
 * src/pkg/transform/image.go, ImageTransformHost).
 *
 * @throws {RefError} when `image` is no reference.
 */
export function transformImage(targetHost: string, image: string): string {
  return transform(targetHost, image, (reference) => `:${zarfTag(reference)}`);
}

/**
 * As {@linkcode transformImage}, with the tag as it is (ImageTransformHostWithoutChecksum): the name
 * under which Zarf pushes the same image a second time, for Helm and Flux.
 *
 * @throws {RefError} when `image` is no reference.
 */
export function transformImageWithoutChecksum(targetHost: string, image: string): string {
  return transform(targetHost, image, (reference) => `:${reference.tag}`);
}

function transform(
  targetHost: string,
  image: string,
  tagOf: (reference: ImageReference) => string,
): string {
  const reference = parseImageReference(image);
  if (targetHost.startsWith(reference.host)) return image;
  const suffix = reference.digest === undefined ? tagOf(reference) : `@${reference.digest}`;
  return `${targetHost}/${reference.path}${suffix}`;
}
