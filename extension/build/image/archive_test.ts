import assert from "node:assert/strict";
import { withDirectory } from "../../../test/fakes/testing.ts";
import { writeOciLayout } from "../oci_image.ts";
import { writeImageArchive } from "./archive.ts";

Deno.test("an archive names the same blobs as the layout, in both ways", async () => {
  await withDirectory(async (dir) => {
    const [image] = await writeOciLayout(`${dir}/layout`, [{
      references: ["example.test/one:1"],
      entries: [{ path: "manifest.yaml", content: "version: v1alpha1\n" }],
    }]);
    assert(image !== undefined);
    await writeImageArchive(`${dir}/a.tar`, `${dir}/layout`, image, "example.test/one:1");
    await writeImageArchive(`${dir}/b.tar`, `${dir}/layout`, image, "example.test/one:1");
    assert.deepEqual(await Deno.readFile(`${dir}/a.tar`), await Deno.readFile(`${dir}/b.tar`));
    await Deno.mkdir(`${dir}/out`);
    const args = ["-xf", `${dir}/a.tar`, "-C", `${dir}/out`];
    assert((await new Deno.Command("tar", { args }).output()).success);
    const [docker] = JSON.parse(await Deno.readTextFile(`${dir}/out/manifest.json`));
    assert.deepEqual(docker.RepoTags, ["example.test/one:1"]);
    const [index] = JSON.parse(await Deno.readTextFile(`${dir}/out/index.json`)).manifests;
    const blob = `${dir}/out/blobs/sha256/${index.digest.slice("sha256:".length)}`;
    const manifest = JSON.parse(await Deno.readTextFile(blob));
    const path = (digest: string) => `blobs/${digest.replace(":", "/")}`;
    assert.equal(docker.Config, path(manifest.config.digest));
    assert.deepEqual(
      docker.Layers,
      manifest.layers.map((one: { digest: string }) => path(one.digest)),
    );
    for (const each of [docker.Config, ...docker.Layers]) await Deno.stat(`${dir}/out/${each}`);
  });
});
