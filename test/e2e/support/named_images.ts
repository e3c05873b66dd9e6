/**
 * A package whose images come from several registries, made by the real zarf without any of them.
 *
 * @module
 */
import { ensureTool, TOOLS } from "../../../extension/build/go_tools.ts";
import { type ImageSpec, writeOciArchive } from "../../../extension/build/oci_image.ts";
import type { Digest } from "../../../src/std/mod.ts";
import { zarfCreate } from "./zarf.ts";
import { writeSource } from "./zarf_sources.ts";

/** The name of an image, and the digest of the manifest that it stands for. */
export interface NamedImage {
  /** As the package names it: `host/path:tag` or `host/path@sha256:…`. */
  readonly reference: string;
  readonly digest: Digest;
}

/** Images by tag, and repositories whose image is named by its digest. */
export interface ImageNames {
  readonly tagged: readonly string[];
  readonly byDigest: readonly string[];
}

/** A package that was made. */
export interface ImagesPackage {
  readonly file: string;
  readonly images: readonly NamedImage[];
}

/**
 * Makes a package with one component. Each image sleeps until it is told to end, and is another one:
 * it has its name as a label.
 *
 * @param directory is new, and the package lies below it.
 * @param manifest gives the text of the one manifest of namespace `name`.
 */
export async function imagesPackage(
  directory: string,
  name: string,
  names: ImageNames,
  manifest: (images: readonly NamedImage[]) => string,
): Promise<ImagesPackage> {
  const { tagged, byDigest } = names;
  const binary = await ensureTool(TOOLS.node);
  const imagesOf = (references: readonly string[]) =>
    references.map((reference, at): ImageSpec => ({
      references: [reference],
      // By the name `pause` it sleeps.
      entries: [{ path: "pause", file: binary, mode: 0o755 }],
      config: {
        entrypoint: ["/pause"],
        labels: { name: [...tagged, ...byDigest][at] ?? "" },
        user: "65532:65532",
      },
    }));
  await Deno.mkdir(directory, { recursive: true });
  const archive = `${directory}/images.tar`;
  // The digest of an image does not depend on its references.
  const written = await writeOciArchive(archive, imagesOf([...tagged, ...byDigest]));
  const digests = written.map((image) => image.manifest.digest);
  const references = [
    ...tagged,
    ...byDigest.map((repository, at) => `${repository}@${digests[tagged.length + at]}`),
  ];
  const images = (await writeOciArchive(archive, imagesOf(references))).map((image, at) => ({
    reference: references[at] ?? "",
    digest: image.manifest.digest,
  }));
  const source = await writeSource(`${directory}/source`, {
    metadata: { name, version: "1.0.0" },
    components: [{
      name: "images",
      required: true,
      imageArchives: [{ path: "../images.tar", images: references }],
      manifests: [{ name, namespace: name, files: ["manifest.yaml"] }],
    }],
  }, { "manifest.yaml": manifest(images) });
  const flags = ["--skip-sbom", "--architecture=amd64"];
  return { file: await zarfCreate(source, `${directory}/out`, flags), images };
}

/**
 * Makes a package with one pod in the namespace `name`, of an image that nobody has seen:
 * `quay.io/site/NAME:1`.
 *
 * @param directory as for {@linkcode imagesPackage}.
 */
export function podPackage(directory: string, name: string): Promise<ImagesPackage> {
  const names = { tagged: [`quay.io/site/${name}:1`], byDigest: [] };
  return imagesPackage(directory, name, names, (images) =>
    JSON.stringify({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name },
      spec: { containers: images.map(({ reference }) => ({ name, image: reference })) },
    }));
}
