import type { Digest } from "../std/mod.ts";
import type { PushImage } from "../zarf/mod.ts";

/** An image of the package and its names; the store's records have this shape. */
export interface NamedImage {
  /** `library/nginx` */
  readonly repository: string;
  readonly tag?: string | undefined;
  /** `<tag>-zarf-<crc>` */
  readonly zarfTag?: string | undefined;
  readonly descriptor: { readonly digest: Digest };
}

/**
 * What is pushed: each image under the name that the webhook writes into pods and under its plain one
 * for Helm and GitOps controllers; one that is named by digest only needs no tag (Zarf 0.84,
 * src/pkg/images/push.go).
 */
export function imagesToPush(images: readonly NamedImage[]): PushImage[] {
  return images.map(({ repository, tag, zarfTag, descriptor }) => ({
    repository,
    tags: [zarfTag, tag].filter((name) => name !== undefined),
    digest: descriptor.digest,
  }));
}
