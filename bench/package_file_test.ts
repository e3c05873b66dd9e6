import assert from "node:assert/strict";
import { zstdDecompressSync } from "node:zlib";
import { makeBenchPackage, packageBytes, sizeText } from "./package_file.ts";

for (
  const [asked, bytes] of [
    [{ quick: false }, 1_000_000_000],
    [{ quick: true }, 40_000_000],
    [{ quick: false, size: 10_000_000_000 }, 10_000_000_000],
    [{ quick: true, size: 5_000_000 }, 5_000_000],
  ] as const
) {
  Deno.test(`${JSON.stringify(asked)} asks for ${bytes} bytes`, () => {
    assert.equal(packageBytes(asked), bytes);
  });
}

for (
  const [bytes, text] of [
    [1_000_000_000, "1 GB"],
    [40_000_000, "40 MB"],
    [1_500_000_000, "1.5 GB"],
    [15_000_000_000, "15 GB"],
  ] as const
) {
  Deno.test(`${bytes} bytes are ${text}`, () => assert.equal(sizeText(bytes), text));
}

Deno.test("a package has as many bytes of layers as asked, and its file as many that are fresh", async () => {
  const directory = await Deno.makeTempDir();
  const BYTES = 8 << 20;
  try {
    const whole = await makeBenchPackage(directory, BYTES);
    assert.equal(whole.label, "8.39 MB package");
    const size = Deno.statSync(whole.file).size;
    assert.ok(size > BYTES && size < BYTES * 1.01, `${size}`);

    const { file } = await makeBenchPackage(directory, BYTES, 32 << 10);
    const small = await Deno.readFile(file);
    assert.ok(small.length > BYTES / 32 && small.length < BYTES / 16, `${small.length}`);
    const content = zstdDecompressSync(small).length;
    assert.ok(content > BYTES && content < BYTES * 1.01, `${content}`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
