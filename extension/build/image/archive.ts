import { tar } from "../tar.ts";
import type { WrittenImage } from "../oci_image.ts";
import { digestHex } from "../../../src/std/mod.ts";

/**
 * Writes an OCI layout of one image as one tar file that is both an OCI archive (skopeo's
 * `oci-archive:`) and what `docker save` writes (`crane push`, skopeo's `docker-archive:`): the blobs
 * are the same, `manifest.json` beside them names them the other way.
 *
 * @param reference what the image is called, with its tag.
 */
export async function writeImageArchive(
  file: string,
  layout: string,
  image: WrittenImage,
  reference: string,
): Promise<void> {
  const blob = (digest: WrittenImage["config"]["digest"]) => `blobs/sha256/${digestHex(digest)}`;
  const layers = image.layers.map(({ digest }) => blob(digest));
  const config = blob(image.config.digest);
  const paths = ["index.json", "oci-layout", blob(image.manifest.digest), config, ...layers];
  const manifest = [{ Config: config, RepoTags: [reference], Layers: layers }];
  const unfinished = `${file}.new`;
  await Deno.writeFile(
    unfinished,
    ReadableStream.from(tar([
      { path: "manifest.json", content: JSON.stringify(manifest) },
      ...paths.map((path) => ({ path, file: `${layout}/${path}` })),
    ])),
  );
  await Deno.rename(unfinished, file);
}
