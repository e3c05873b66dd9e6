import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  buildPackage,
  flipBit,
  type PackageSpec,
  positionOf,
} from "../../test/fixtures/make_package.ts";
import { MemorySink, sourceOf } from "../../test/fixtures/package_sink.ts";
import { refusal } from "../../test/fixtures/refusal.ts";
import { readPackage } from "./mod.ts";

Deno.test("an empty file and files of another kind are refused", async () => {
  assert.equal((await refusal(new Uint8Array(), "tar")).reason, "EmptyFile");
  assert.equal((await refusal(new Uint8Array(), "tar.zst")).reason, "EmptyFile");
  const gone = { size: 10, read: () => 0 };
  const options = { format: "tar", architecture: "amd64", sink: new MemorySink() } as const;
  await assert.rejects(readPackage(gone, options), { reason: "EmptyFile" });
  assert.equal((await refusal(buildPackage({ format: "tar" }), "tar.zst")).reason, "NotZstd");
  assert.equal((await refusal(buildPackage({}), "tar")).reason, "NotTar");
  assert.equal((await refusal(Buffer.from("<html>".repeat(200)), "tar")).reason, "NotTar");
});

Deno.test("a package that ends early is truncated at whatever place", async (t) => {
  const spec: PackageSpec = {
    images: [{
      reference: "docker.io/library/sample:1.0",
      layers: [{ size: 2_500_000, seed: 1 }, "end"],
    }],
  };
  for (const format of ["tar", "tar.zst"] as const) {
    const bytes = buildPackage({ ...spec, format });
    // The last 1024 bytes of a tar are its end mark; of a zst the end is a checksum.
    const last = format === "tar" ? bytes.length - 600 : bytes.length - 1;
    for (const end of [1, 3, 100, 700, 50_000, 1_048_576, bytes.length >> 1, last]) {
      await t.step(`${format}: ${end} of ${bytes.length} bytes`, async () => {
        assert.equal((await refusal(bytes.slice(0, end), format)).reason, "Truncated");
      });
    }
  }
});

Deno.test("a component's file that is cut off is aborted, not closed", async () => {
  const bytes = buildPackage({ format: "tar" });
  const sink = new MemorySink();
  const cut = bytes.slice(0, positionOf(bytes, "kind: ConfigMap"));
  const options = { format: "tar", architecture: "amd64", sink } as const;
  await assert.rejects(readPackage(sourceOf(cut), options), { reason: "Truncated" });
  assert.deepEqual(sink.aborted, ["components/web/manifests/web-0.yaml"]);
  assert.equal(sink.open, 0);
});

// In an uncompressed package nothing covers the rest of zarf.yaml but a signature: it is the root.
Deno.test("one flipped bit in any part of the tar is found", async (t) => {
  const spec: PackageSpec = { format: "tar", files: { "sboms.tar": "SBOM content" } };
  const bytes = buildPackage(spec);
  const parts: [string, string][] = [
    ["checksums.txt", "components/web.tar\n"],
    ["zarf.yaml's checksum", "aggregateChecksum: "],
    ["a component's file", "kind: ConfigMap"],
    ["a component's tar header", "web/manifests/web-0.yaml"],
    ["sboms.tar", "SBOM content"],
    ["images/index.json", "org.opencontainers.image.ref.name"],
    ["images/oci-layout", "imageLayoutVersion"],
    ["a layer", "not really a layer"],
    ["a config", '"rootfs"'],
    ["a manifest", '"layers"'],
    ["a header of the outer tar", "zarf.yaml\0"],
  ];
  for (const [name, needle] of parts) {
    await t.step(name, async () => {
      const at = positionOf(bytes, needle) + needle.length - (needle.endsWith(" ") ? 0 : 1);
      const error = await refusal(flipBit(bytes, at), "tar");
      assert(error.message.includes(": "), error.message);
    });
  }
});

Deno.test("one flipped bit anywhere in the compressed file is found", async (t) => {
  const bytes = buildPackage({
    images: [{ reference: "docker.io/library/sample:1.0", layers: [{ size: 400_000, seed: 2 }] }],
  });
  // From the first block on: the header before it holds a window size with room to spare.
  for (let at = 8; at < bytes.length; at += Math.floor(bytes.length / 24)) {
    await t.step(`byte ${at} of ${bytes.length}`, async () => {
      await refusal(flipBit(bytes, at));
    });
  }
});
